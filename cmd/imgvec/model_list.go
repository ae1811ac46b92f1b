package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/imgvec/imgvec"
	"github.com/imgvec/imgvec/internal/home"
	"github.com/imgvec/imgvec/model"
)

func (a *app) modelList() *cobra.Command {
	var asJSON, here bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the models that are known by name and those installed",
		Long: `List the models that are known by name, the default first, and then the installed ones that are not among them: features
an image, side of the pictures in pixels, size of the download and on disk, licence of the weights, where they come from.`,
		Example: "  imgvec model list\n  imgvec model list --installed --json",
		Args:    cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			list := []model.Listing{}
			for _, l := range model.List(model.OpenOptions{}) {
				if !here || l.Installed || l.Damaged != "" {
					list = append(list, l)
				}
			}
			if asJSON {
				return a.printJSON(list)
			}
			return a.printList(list)
		},
	}
	cmd.Flags().BoolVar(&here, "installed", false, "only those on this machine")
	cmd.Flags().BoolVar(&asJSON, "json", false, "as JSON")
	return cmd
}

func (a *app) printList(list []model.Listing) error {
	rows := [][]string{{"NAME", "HERE", "DIM", "INPUT", "DOWNLOAD", "ON DISK", "LICENCE", "SOURCE"}}
	total := int64(0)
	for _, l := range list {
		here := "-"
		switch {
		case l.Damaged != "":
			here = "damaged"
		case l.Installed:
			here = "yes"
		}
		rows = append(rows, []string{
			l.Name, here, orDash(l.Dim > 0, fmt.Sprint(l.Dim)), side(l.Input), orDash(l.DownloadBytes > 0, bytesText(l.DownloadBytes)),
			orDash(l.DiskBytes > 0, bytesText(l.DiskBytes)), shortLicence(l.License), shortSource(l),
		})
		total += l.DiskBytes
	}
	if err := printTable(a.stdout, rows, widthOf(a.stdout), 2, 3, 4, 5); err != nil {
		return err
	}
	for _, l := range list {
		if l.Damaged != "" {
			a.log(a.paint(red, fmt.Sprintf("%s is damaged: %s", l.Name, l.Damaged)))
		}
	}
	if a.onTerminal() {
		a.log(fmt.Sprintf("\nThe models are in %s (%s). imgvec model info NAME says more of one, imgvec model pull NAME installs it.", home.Models(), bytesText(total)))
	}
	return nil
}

func orDash(there bool, text string) string {
	if !there {
		return "-"
	}
	return text
}

// side is an input's size: one number for a square.
func side(s imgvec.Size) string {
	switch {
	case s == imgvec.Size{}:
		return "-"
	case s.Height == s.Width:
		return fmt.Sprint(s.Height)
	}
	return fmt.Sprintf("%dx%d", s.Height, s.Width)
}

// shortLicence is a licence without what is said about it.
func shortLicence(text string) string {
	if i := strings.IndexAny(text, ";,("); i > 0 {
		text = text[:i]
	}
	return strings.TrimSpace(text)
}

// shortSource is a source in few words; model info has all of them.
func shortSource(l model.Listing) string {
	text := l.Source
	if rest, ok := strings.CutPrefix(text, "Python package "); ok {
		text, _, _ = strings.Cut(rest, " ")
		return "PyPI " + text
	}
	if rest, ok := strings.CutPrefix(text, "hf://"); ok {
		repo, _, _ := strings.Cut(rest, "@")
		return "hf://" + strings.Join(strings.SplitN(repo, "/", 3)[:min(2, strings.Count(repo, "/")+1)], "/")
	}
	if rest, ok := strings.CutPrefix(text, "https://download.pytorch.org/models/"); ok {
		return "torchvision " + rest
	}
	return strings.TrimPrefix(text, "https://")
}

// widthOf is how many columns a terminal has; 0 for what is none.
func widthOf(w io.Writer) int {
	f, ok := w.(*os.File)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// printTable aligns columns, those of numbers to the right; the last one is cut where the terminal ends. width 0: nothing
// is cut.
func printTable(w io.Writer, rows [][]string, width int, numbers ...int) error {
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	last := len(widths) - 1
	left := width
	for _, n := range widths[:last] {
		left -= n + 2
	}
	for _, row := range rows {
		var b strings.Builder
		for i, cell := range row[:last] {
			space := strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell))
			if slices.Contains(numbers, i) {
				cell, space = space+cell, ""
			}
			b.WriteString(cell + space + "  ")
		}
		cell := []rune(row[last])
		if width > 0 && left > 1 && len(cell) > left {
			cell = append(cell[:left-1:left-1], '…')
		}
		if _, err := fmt.Fprintln(w, strings.TrimRight(b.String()+string(cell), " ")); err != nil {
			return err
		}
	}
	return nil
}
