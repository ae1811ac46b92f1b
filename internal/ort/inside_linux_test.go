//go:build cgo && linux

package ort

import (
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"unsafe"

	"github.com/yalue/onnxruntime_go"
)

// What this package takes for one pointer must be one, or begin with it.
func TestLayoutOfOnnxruntimeGo(t *testing.T) {
	pointer := unsafe.Sizeof(uintptr(0))
	only := func(typ reflect.Type, field string) reflect.Type {
		t.Helper()
		f := typ.Field(0)
		if f.Name != field || f.Offset != 0 || f.Type.Kind() != reflect.Pointer {
			t.Errorf("%v begins with %s %v", typ, f.Name, f.Type)
		}
		return f.Type.Elem()
	}
	for typ, field := range map[reflect.Type]string{
		reflect.TypeFor[onnxruntime_go.ValueInternalData]():      "ortValue",
		reflect.TypeFor[onnxruntime_go.IoBinding]():              "o",
		reflect.TypeFor[onnxruntime_go.DynamicAdvancedSession](): "s",
	} {
		if only(typ, field); typ.NumField() != 1 || typ.Size() != pointer {
			t.Errorf("%v has %d fields and %d bytes", typ, typ.NumField(), typ.Size())
		}
	}
	session := only(reflect.TypeFor[onnxruntime_go.DynamicAdvancedSession](), "s")
	if elem := only(session, "ortSession"); !strings.HasSuffix(elem.Name(), "OrtSession") {
		t.Errorf("a session begins with a pointer to %v", elem)
	}
}

func TestVersionOfOnnxruntimeGo(t *testing.T) {
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Version}}", "github.com/yalue/onnxruntime_go").Output()
	if err != nil {
		t.Skipf("no go command: %v", err)
	}
	if got := strings.TrimSpace(string(out)); got != "v1.36.0" {
		t.Errorf("onnxruntime_go %s: read what inside_linux.go and shim_linux.c reach into, then change this test", got)
	}
}

var (
	comment  = regexp.MustCompile(`(?s)/\*.*?\*/|//[^\n]*`)
	function = regexp.MustCompile(`ORT_API2_STATUS\(\s*(\w+)|ORT_CLASS_RELEASE\((\w+)\)|\(\s*ORT_API_CALL\s*\*\s*(\w+)\)`)
)

// declared are the functions of OrtApi in their order, from the header that onnxruntime_go carries.
func declared(t *testing.T) []string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-m", "-f", "{{.Dir}}", "github.com/yalue/onnxruntime_go").Output()
	if err != nil {
		t.Skipf("no go command: %v", err)
	}
	header, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "onnxruntime_c_api.h"))
	if err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(header), "\nstruct OrtApi {")
	text, _, _ = strings.Cut(text, "\n};")
	var names []string
	for _, match := range function.FindAllStringSubmatch(comment.ReplaceAllString(text, ""), -1) {
		name := match[1] + match[3]
		if match[2] != "" {
			name = "Release" + match[2]
		}
		names = append(names, name)
	}
	return names
}

// Every function that the C code takes out of the table by its number has that number in the header.
func TestIndicesOfOrtApi(t *testing.T) {
	used := 0
	names := declared(t)
	for index, name := range names {
		if got := tableIndex(name); got >= 0 {
			used++
			if got != index {
				t.Errorf("%s is function %d, not %d", name, index, got)
			}
		}
	}
	source, err := os.ReadFile("shim_linux.c")
	if err != nil {
		t.Fatal(err)
	}
	if want := len(regexp.MustCompile(`(?m)^\tF\(\w+, \d+\)`).FindAll(source, -1)); used != want || want == 0 {
		t.Errorf("%d functions of %d were found", used, want)
	}
}
