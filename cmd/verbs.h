/* SPDX-License-Identifier: MIT */
#ifndef CMD_VERBS_H
#define CMD_VERBS_H

/* The verbs of the program weir, one file each. A verb gets the words after its name (argv[0] is
 * the name) and returns the program's exit status. */

int verb_drill(int argc, char **argv);
int verb_extcap(int argc, char **argv);
int verb_lab(int argc, char **argv);
int verb_perf(int argc, char **argv);

#endif
