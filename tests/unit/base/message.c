// SPDX-License-Identifier: Apache-2.0
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "base/message.h"

struct sample {
	struct km_message_hdr hdr;
	uint64_t value;
};

struct fixture {
	int sock[2];
	unsigned char large[KM_MESSAGE_MAX + 8];
};

static int set_up(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	if (!f ||
	    socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, f->sock) < 0)
		return -1;
	*state = f;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	km_close(&f->sock[0]);
	km_close(&f->sock[1]);
	free(f);
	return 0;
}

static const struct sample good = { { 3, 1, sizeof(struct sample) }, 42 };

static void a_message_arrives_whole(void **state)
{
	struct fixture *f = *state;
	struct sample got;
	int fd = 7;

	assert_int_equal(km_message_recv(f->sock[1], &got, sizeof(got), &fd), -EAGAIN);
	assert_int_equal(fd, 7);
	assert_int_equal(km_message_send(f->sock[0], &good, sizeof(good), -1), 0);
	assert_int_equal(km_message_send(f->sock[0], &good, sizeof(good), -1), 0);
	assert_int_equal(km_message_recv(f->sock[1], &got, sizeof(got), &fd), sizeof(got));
	assert_memory_equal(&got, &good, sizeof(got));
	assert_int_equal(fd, -1);
	assert_int_equal(km_message_recv(f->sock[1], &got, sizeof(got), NULL), sizeof(got));
}

static void the_largest_message_passes_and_one_byte_more_does_not(void **state)
{
	struct km_message_hdr hdr = { 1, 1, KM_MESSAGE_MAX };
	struct fixture *f = *state;

	memcpy(f->large, &hdr, sizeof(hdr));
	assert_int_equal(km_message_send(f->sock[0], f->large, KM_MESSAGE_MAX, -1), 0);
	assert_int_equal(km_message_recv(f->sock[1], f->large, KM_MESSAGE_MAX, NULL),
	                 KM_MESSAGE_MAX);
	hdr.size++;
	memcpy(f->large, &hdr, sizeof(hdr));
	assert_int_equal(km_message_send(f->sock[0], f->large, KM_MESSAGE_MAX + 1, -1), -EMSGSIZE);
}

static void a_header_that_lies_is_not_sent(void **state)
{
	struct fixture *f = *state;

	assert_int_equal(km_message_send(f->sock[0], &good, sizeof(good) - 1, -1), -EINVAL);
	assert_int_equal(km_message_send(f->sock[0], &good, 7, -1), -EMSGSIZE);
}

static void what_is_cut_off_or_lies_is_refused_and_the_next_is_read(void **state)
{
	struct sample got, longer = good, shorter = good;
	struct fixture *f = *state;

	longer.hdr.size++;
	shorter.hdr.size--;
	assert_int_equal(send(f->sock[0], &longer, sizeof(longer), 0), sizeof(longer));
	assert_int_equal(send(f->sock[0], &shorter, sizeof(shorter), 0), sizeof(shorter));
	assert_int_equal(send(f->sock[0], &good, 7, 0), 7);
	assert_int_equal(km_message_send(f->sock[0], &good, sizeof(good), -1), 0);
	assert_int_equal(km_message_send(f->sock[0], &good, sizeof(good), -1), 0);
	assert_int_equal(km_message_recv(f->sock[1], &got, sizeof(got), NULL), -EBADMSG);
	assert_int_equal(km_message_recv(f->sock[1], &got, sizeof(got), NULL), -EBADMSG);
	assert_int_equal(km_message_recv(f->sock[1], &got, sizeof(got), NULL), -EBADMSG);
	assert_int_equal(km_message_recv(f->sock[1], &got, sizeof(got) - 1, NULL), -EBADMSG);
	assert_int_equal(km_message_recv(f->sock[1], &got, sizeof(got), NULL), sizeof(got));
}

static void a_descriptor_is_passed_and_closed_on_exec(void **state)
{
	struct fixture *f = *state;
	struct stat sent, got_stat;
	struct sample got;
	int fd = -1;

	assert_int_equal(km_message_send(f->sock[0], &good, sizeof(good), f->sock[0]), 0);
	assert_int_equal(km_message_recv(f->sock[1], &got, sizeof(got), &fd), sizeof(got));
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	fstat(f->sock[0], &sent);
	fstat(fd, &got_stat);
	assert_int_equal(sent.st_ino, got_stat.st_ino);
	close(fd);
}

/* The lowest free descriptor tells whether one was left open. */
static int lowest_free(void)
{
	int fd = dup(STDERR_FILENO);

	close(fd);
	return fd;
}

static void send_fds(int sock, size_t count)
{
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(8 * sizeof(int))];
	} control;
	struct iovec piece = { (void *)&good, sizeof(good) };
	struct msghdr mh = { .msg_iov = &piece,
		             .msg_iovlen = 1,
		             .msg_control = control.bytes,
		             .msg_controllen = CMSG_SPACE(count * sizeof(int)) };
	struct cmsghdr *c;
	size_t i;

	memset(&control, 0, sizeof(control));
	c = CMSG_FIRSTHDR(&mh);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(count * sizeof(int));
	for (i = 0; i < count; i++)
		memcpy(CMSG_DATA(c) + i * sizeof(int), &(int){ STDERR_FILENO }, sizeof(int));
	assert_int_equal(sendmsg(sock, &mh, 0), sizeof(good));
}

static void unwanted_descriptors_are_closed_and_the_message_refused(void **state)
{
	struct fixture *f = *state;
	int before = lowest_free(), fd = -1;
	struct sample got;
	size_t count;

	send_fds(f->sock[0], 1);
	assert_int_equal(km_message_recv(f->sock[1], &got, sizeof(got), NULL), -EBADMSG);
	for (count = 2; count <= 8; count++) {
		send_fds(f->sock[0], count);
		assert_int_equal(km_message_recv(f->sock[1], &got, sizeof(got), &fd), -EBADMSG);
	}
	assert_int_equal(fd, -1);
	assert_int_equal(lowest_free(), before);
}

static void the_end_of_the_other_side_is_told_to_reader_and_writer(void **state)
{
	struct fixture *f = *state;
	struct sample got;

	assert_int_equal(km_message_send(f->sock[0], &good, sizeof(good), -1), 0);
	km_close(&f->sock[0]);
	assert_int_equal(km_message_recv(f->sock[1], &got, sizeof(got), NULL), sizeof(got));
	assert_int_equal(km_message_recv(f->sock[1], &got, sizeof(got), NULL), 0);
	assert_int_equal(km_message_send(f->sock[1], &good, sizeof(good), -1), -EPIPE);
}

/* Linux says ECONNRESET when what we sent was never read. */
static void an_end_with_something_unread_is_an_end(void **state)
{
	struct fixture *f = *state;
	struct sample got;

	assert_int_equal(km_message_send(f->sock[1], &good, sizeof(good), -1), 0);
	km_close(&f->sock[0]);
	assert_int_equal(km_message_recv(f->sock[1], &got, sizeof(got), NULL), 0);
}

static void a_full_socket_says_so(void **state)
{
	struct fixture *f = *state;
	struct sample got;
	int sent = 0, r;

	while ((r = km_message_send(f->sock[0], &good, sizeof(good), -1)) == 0)
		sent++;
	assert_int_equal(r, -EAGAIN);
	while (sent-- > 0)
		assert_int_equal(km_message_recv(f->sock[1], &got, sizeof(got), NULL), sizeof(got));
	assert_int_equal(km_message_send(f->sock[0], &good, sizeof(good), -1), 0);
}

int main(void)
{
#define TEST(t) cmocka_unit_test_setup_teardown(t, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		TEST(a_message_arrives_whole),
		TEST(the_largest_message_passes_and_one_byte_more_does_not),
		TEST(a_header_that_lies_is_not_sent),
		TEST(what_is_cut_off_or_lies_is_refused_and_the_next_is_read),
		TEST(a_descriptor_is_passed_and_closed_on_exec),
		TEST(unwanted_descriptors_are_closed_and_the_message_refused),
		TEST(the_end_of_the_other_side_is_told_to_reader_and_writer),
		TEST(an_end_with_something_unread_is_an_end),
		TEST(a_full_socket_says_so),
	};

	return cmocka_run_group_tests_name("base/message", tests, NULL, NULL);
}
