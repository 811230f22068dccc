/* SPDX-License-Identifier: MIT */
#ifndef LAB_NET_STATE_H
#define LAB_NET_STATE_H

/* Labs that are up, or were when somebody killed them: what is known of them on disk.
 *
 * A lab has a directory. In it lie lab.json (what it consists of), and for each node NODE.pid (who runs
 * it, process.h), NODE.sock (its control socket), NODE.log (what it says, if it has no terminal), NODE.in
 * (a FIFO, what somebody else's program reads then), and NODE.lnx if the lab made it. */

#include <lab/net/net.h>
#include <limits.h>
#include <sys/types.h>

#define LAB_FILE "lab.json"
#define LAB_DOWN ".lab-down" /* there while the lab is taken down: its panes leave no shells then */
#define LAB_SESSION 80

struct lab_node {
    char name[NET_NAME];
    bool is_router;
    bool is_ours; /* knows --control */
    char *lnx;    /* path of its file */
    char **argv;  /* the command that runs it, closed by NULL; argv[0] is a path */
};

struct lab {
    char dir[PATH_MAX]; /* absolute */
    char name[NET_NAME];
    char cwd[PATH_MAX];        /* where its programs run */
    char session[LAB_SESSION]; /* of tmux; empty: the nodes have no terminal */
    bool is_generated;         /* NODE.lnx and the files beside it are the lab's own */
    bool is_complete;          /* it was up; else who brought it up may have been killed over it */
    struct lab_node *nodes;
    size_t node_count;
};

/* The directory in which the labs of this user are kept: $XDG_RUNTIME_DIR/weir, or /tmp/weir-UID. It is
 * made if it is not there, and refused unless it is this user's alone. `path` takes PATH_MAX bytes.
 * Returns 0 or WEIR_EPERM, WEIR_EIO with *error filled. */
int lab_base(char *path, struct net_error *error);

/* Takes the lock that whoever brings labs up or down holds; waits for it. Returns a descriptor (closed
 * on exec; closing it releases the lock) or WEIR_EIO. */
int lab_lock(struct net_error *error);

/* Reads the lab of a directory; lab_done releases. Returns 0, or WEIR_ENOENT (there is no lab), WEIR_EIO,
 * WEIR_EINVAL, WEIR_ENOMEM with *error filled. */
int lab_load(const char *dir, struct lab *lab, struct net_error *error);

/* Writes lab.json, whole or not at all. The directory must be there. */
int lab_save(const struct lab *lab, struct net_error *error);

/* Makes the lab known to lab_list, if its directory is not where labs are kept anyway. */
int lab_register(const struct lab *lab, struct net_error *error);

void lab_done(struct lab *lab);

/* The lab that is meant: that of `dir`, or, if `dir` is NULL, the only one there is (of several, the
 * only one with a live node). Returns as lab_load; the error names those that there are. */
int lab_find(const char *dir, struct lab *lab, struct net_error *error);

/* Calls `fn` with the directory of each lab of this user, dead ones too. */
typedef void lab_fn(void *argument, const char *dir);
void lab_list(lab_fn *fn, void *argument);

/* The same for what is left where labs are kept: directories that have no lab.json any more, or had none
 * yet when somebody was killed. */
void lab_list_rests(lab_fn *fn, void *argument);

/* Whether `dir` is a lab's: it has a lab.json that a lab has written, or lies where labs are kept, or is
 * noted there. Nothing is ever removed from other directories. */
bool lab_is_place(const char *dir);

/* Whether a lab that is about to be there would overwrite files that no lab has made. Returns 0, or
 * WEIR_EPERM with *error naming the file. */
int lab_check_place(const struct lab *lab, struct net_error *error);

/* NULL: no such node. */
const struct lab_node *lab_node(const struct lab *lab, const char *name);

/* The path of one of a node's files: `suffix` is ".pid", ".sock", … `path` takes PATH_MAX bytes. */
const char *lab_path(const struct lab *lab, const char *node, const char *suffix, char *path);

/* The process of a node; 0: it is not running. */
pid_t lab_node_pid(const struct lab *lab, const char *node);

/* Whether the lab is being taken down, or is gone. */
bool lab_is_going(const struct lab *lab);

/* Whether any process of the lab in `dir` runs. */
bool lab_is_alive(const char *dir);

/* Ends what runs in `dir` and removes what a lab leaves there (clear.c). Processes are asked first, and
 * killed if they do not go. Returns how many ran, or WEIR_EPERM if one could not be ended. A directory
 * that is no lab's (lab_is_place) is left alone, for 0. */
int lab_clear(const char *dir, struct net_error *error);

#endif
