// Command bench runs imgvec and its peers side by side on the same machine and prints how they compare.
//
//	make -C bench run       # on the CPU
//	make -C bench gpu       # on a GPU
//	make -C bench spark     # in Spark
//	make -C bench render    # results into docs/performance.md
//
// Every contender is a process that stays alive: it loads its model, warms up, and then runs one round for each line
// that it reads. The rounds of all contenders are interleaved (A B C, A B C, ...), so that what else happens on the
// machine hits all of them, and only one runs at a time. A ratio is taken within a round; the table shows the median
// round with the smallest and the largest. A peer that can't run is left out, and the table says why.
//
// The peers are programs in peers/, in an environment that the Makefile makes from requirements.txt, and hugot in a
// module of its own. imgvec's own contenders are this program again (bench peer, bench gpu-peer), and the command as a
// person would start it.
//
// On a CPU a round is a list of files (contender.go, peers/rounds.py). On a GPU it is a case: a scenario in a size of
// batch, for about a second (gpu_case.go, peers/cases.py). In Spark it is a job over a folder, before which the contender
// gets warm, and a contender is a session of processes (spark_contender.go, peers/spark_rounds.py). On a GPU the
// machine's limits are contenders like the others, so that every share of a limit is one of the same run.
//
// Each run is kept as JSON lines in results/, with machine, versions, commit and command. What comes from a simulated
// driver or a dry run is marked everywhere, never goes there, and is refused by render.
package main
