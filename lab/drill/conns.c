/* SPDX-License-Identifier: MIT */

/* The connections and descriptors of a script: small tables, searched from the front. A connection
 * stays in its table to the end of the script, because a late packet may still be its. */

#include <lab/drill/run.h>

struct drill_conn *conn_find(struct run *run, uint16_t lport, uint16_t rport)
{
    unsigned i;

    for (i = run->conn_count; i-- > 0;)
        if (run->conns[i].lport == lport && run->conns[i].rport == rport)
            return &run->conns[i];
    return NULL;
}

struct drill_conn *conn_add(struct run *run, uint16_t lport, uint16_t rport)
{
    struct drill_conn *conn;

    if (run->conn_count == RUN_CONNS_MAX)
        return NULL;
    conn = &run->conns[run->conn_count++];
    *conn = (struct drill_conn){.lport = lport, .rport = rport, .socket = -1};
    return conn;
}

/* The stack's socket of a connection, also of one that nobody has accepted yet; -1: there is none. */
int conn_socket(struct run *run, struct drill_conn *conn)
{
    struct weir_socket_row row;
    int socket = -1;

    while ((socket = weir_inspect_socket(run->stack, socket + 1, &row)) >= 0)
        if (row.kind == WEIR_TCP && row.local.port == conn->lport && row.remote.port == conn->rport)
            return socket;
    return -1;
}

struct drill_fd *fd_find(struct run *run, int64_t number)
{
    int i;

    for (i = 0; i < RUN_FDS_MAX; i++)
        if (run->fds[i].used && run->fds[i].number == number)
            return &run->fds[i];
    return NULL;
}

struct drill_fd *fd_add(struct run *run, int64_t number, int fd)
{
    int i;

    if (fd_find(run, number))
        return NULL;
    for (i = 0; i < RUN_FDS_MAX; i++) {
        if (!run->fds[i].used) {
            run->fds[i] = (struct drill_fd){.used = true, .number = (int)number, .fd = fd};
            return &run->fds[i];
        }
    }
    return NULL;
}
