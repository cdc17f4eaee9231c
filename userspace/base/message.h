/* SPDX-License-Identifier: Apache-2.0 */
/* Length-checked typed messages over a SOCK_SEQPACKET socketpair between two of our processes. */
#ifndef KM_MESSAGE_H
#define KM_MESSAGE_H

#include "base/buf.h"

#define KM_MESSAGE_MAX 65536 /* the largest: one piece of a control answer */

struct km_message_hdr {
	uint16_t type;
	uint16_t version;
	uint32_t size; /* of the whole message, header included */
};

/* SOCK blocks or not as it was made. 0; -EAGAIN would block; -EPIPE the other side is gone;
 * -EMSGSIZE or -EINVAL: SIZE is out of bounds or not the header's. FD -1: none to pass. */
int km_message_send(int sock, const void *msg, size_t size, int fd);
/* Sends the messages that lie in QUEUE one behind the other, oldest first; what was sent is taken
 * out. As km_message_send(). */
int km_message_flush(int sock, struct km_buf *queue);
/* Bytes received into BUF, 0 at end of file; -EAGAIN; -EBADMSG: cut off, size field differs from
 * what came, or more than one descriptor. *RET_FD gets a passed descriptor (close-on-exec) or -1;
 * with RET_FD NULL any passed one is closed and the message refused. */
ssize_t km_message_recv(int sock, void *buf, size_t size, int *ret_fd);

#endif
