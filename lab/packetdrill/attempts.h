/* SPDX-License-Identifier: MIT */
#ifndef LAB_PACKETDRILL_ATTEMPTS_H
#define LAB_PACKETDRILL_ATTEMPTS_H

/* call->attempt of each call of the table. What stands where in struct call: table.c. */

#include <lab/packetdrill/adapter.h>

long attempt_socket(struct adapter *adapter, struct call *call);
long attempt_bind(struct adapter *adapter, struct call *call);
long attempt_listen(struct adapter *adapter, struct call *call);
long attempt_accept(struct adapter *adapter, struct call *call);
long attempt_connect(struct adapter *adapter, struct call *call);
long attempt_close(struct adapter *adapter, struct call *call);
long attempt_shutdown(struct adapter *adapter, struct call *call);
long attempt_fcntl(struct adapter *adapter, struct call *call);
long attempt_ioctl(struct adapter *adapter, struct call *call);
long attempt_getsockopt(struct adapter *adapter, struct call *call);
long attempt_setsockopt(struct adapter *adapter, struct call *call);
long attempt_recvfrom(struct adapter *adapter, struct call *call);
long attempt_recvmsg(struct adapter *adapter, struct call *call);
long attempt_sendto(struct adapter *adapter, struct call *call);
long attempt_sendmsg(struct adapter *adapter, struct call *call);
long attempt_pipe(struct adapter *adapter, struct call *call);
long attempt_splice(struct adapter *adapter, struct call *call);
long attempt_poll(struct adapter *adapter, struct call *call);
long attempt_epoll_create(struct adapter *adapter, struct call *call);
long attempt_epoll_ctl(struct adapter *adapter, struct call *call);
long attempt_epoll_wait(struct adapter *adapter, struct call *call);

#endif
