// Command bench runs imgvec and its peers side by side on the same photos and prints how they compare.
//
//	make -C bench run
//
// Every contender is a process that stays alive: it loads its model, warms up, and then runs all photos once for each
// "go" that it reads. The rounds of all contenders are interleaved (A B C, A B C, ...), so that what else happens on
// the machine hits all of them, and only one runs at a time. A ratio is taken within a round; the table shows the
// median round with the smallest and the largest.
//
// The peers are Python programs in peers/, in an environment that the Makefile makes from requirements.txt. imgvec's
// own contenders are this program again (bench peer NAME LIST), and the command as a person would start it.
package main
