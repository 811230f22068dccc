/* SPDX-License-Identifier: MIT */
#include <lab/linux/internal.h>
int weir_socket_disconnect(struct weir_stack *stack, int socket);
__attribute__((weak)) int weir_socket_disconnect(struct weir_stack *stack, int socket)
{
    (void)stack, (void)socket;
    return WEIR_EOPNOTSUPP;
}
