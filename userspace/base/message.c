// SPDX-License-Identifier: Apache-2.0
#include <sys/socket.h>

#include "base/message.h"

/* Room for two descriptors, so that a second one is seen; the kernel drops what has no room. */
union control {
	struct cmsghdr align;
	char bytes[CMSG_SPACE(2 * sizeof(int))];
};

static void attach_fd(struct msghdr *mh, union control *control, int fd)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	mh->msg_control = control->bytes;
	mh->msg_controllen = CMSG_SPACE(sizeof(int));
	c = CMSG_FIRSTHDR(mh);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
}

int km_message_send(int sock, const void *msg, size_t size, int fd)
{
	struct iovec piece = { .iov_base = (void *)msg, .iov_len = size };
	struct msghdr mh = { .msg_iov = &piece, .msg_iovlen = 1 };
	struct km_message_hdr hdr;
	union control control;
	ssize_t n;

	if (size < sizeof(hdr) || size > KM_MESSAGE_MAX)
		return -EMSGSIZE;
	memcpy(&hdr, msg, sizeof(hdr));
	if (hdr.size != size)
		return -EINVAL;
	if (fd >= 0)
		attach_fd(&mh, &control, fd);
	do {
		n = sendmsg(sock, &mh, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return 0;
	return errno == ECONNRESET || errno == ENOTCONN ? -EPIPE : -errno;
}

int km_message_flush(int sock, struct km_buf *queue)
{
	int r = 0;

	while (r == 0 && queue->len > 0) {
		const struct km_message_hdr *h = (const void *)queue->data;
		size_t size = h->size;

		r = km_message_send(sock, h, size, -1);
		if (r == 0)
			km_buf_eat(queue, size);
	}
	return r;
}

/* Descriptors of MH into FDS; how many. */
static size_t take_fds(struct msghdr *mh, int fds[2])
{
	struct cmsghdr *c;
	size_t count = 0, n;

	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		if (n > 2 - count)
			n = 2 - count;
		memcpy(fds + count, CMSG_DATA(c), n * sizeof(int));
		count += n;
	}
	return count;
}

static bool whole(const void *buf, ssize_t n, int flags)
{
	struct km_message_hdr hdr;

	if ((flags & (MSG_TRUNC | MSG_CTRUNC)) || (size_t)n < sizeof(hdr))
		return false;
	memcpy(&hdr, buf, sizeof(hdr));
	return hdr.size == (size_t)n;
}

ssize_t km_message_recv(int sock, void *buf, size_t size, int *ret_fd)
{
	struct iovec piece = { .iov_base = buf, .iov_len = size };
	union control control;
	struct msghdr mh = {
		.msg_iov = &piece,
		.msg_iovlen = 1,
		.msg_control = control.bytes,
		.msg_controllen = sizeof(control.bytes),
	};
	int fds[2] = { -1, -1 };
	size_t count;
	ssize_t n;

	do {
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	/* The peer went away with something of ours unread: for us that is the end as well. */
	if (n < 0)
		return errno == ECONNRESET ? 0 : -errno;
	count = take_fds(&mh, fds);
	if ((n > 0 && !whole(buf, n, mh.msg_flags)) || count > (ret_fd ? 1 : 0)) {
		km_close(&fds[0]);
		km_close(&fds[1]);
		return -EBADMSG;
	}
	if (ret_fd)
		*ret_fd = fds[0];
	return n;
}
