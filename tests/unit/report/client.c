/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "report/client.h"

struct side {
	struct km_loop *loop;
	struct km_clients *cs;
	int peer;
	uint64_t id;
};

static int add(struct side *s, uint64_t *ret_id)
{
	int pair[2], r;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
	r = km_clients_add(s->cs, pair[0], ret_id);
	if (r < 0)
		assert_int_equal(r, -EMFILE);
	return pair[1];
}

static int setup(void **state)
{
	struct side *s = calloc(1, sizeof(*s));

	assert_int_equal(km_loop_new(&s->loop), 0);
	assert_int_equal(km_clients_new(s->loop, &s->cs), 0);
	s->peer = add(s, &s->id);
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct side *s = *state;

	km_clients_free(s->cs);
	km_loop_free(s->loop);
	km_close(&s->peer);
	free(s);
	return 0;
}

static void spin(struct side *s)
{
	while (km_loop_once(s->loop, 0) > 0)
		;
}

/* Reads one frame, letting the loop send the rest of it; its kind, 0 at the end of file. */
static uint32_t read_frame(struct side *s, char **body, size_t *len)
{
	struct km_frame_hdr hdr;
	size_t have = 0;

	if (recv(s->peer, &hdr, sizeof(hdr), MSG_WAITALL) != sizeof(hdr))
		return 0;
	*body = malloc(hdr.length + 1);
	while (have < hdr.length) {
		ssize_t n;

		spin(s);
		n = recv(s->peer, *body + have, hdr.length - have, MSG_DONTWAIT);
		if (n > 0)
			have += (size_t)n;
		else
			assert_int_equal(errno, EAGAIN);
	}
	(*body)[have] = '\0';
	*len = have;
	spin(s);
	return hdr.kind;
}

static void expect_frame(struct side *s, uint32_t kind, const char *text)
{
	char *body = NULL;
	size_t len;

	assert_int_equal(read_frame(s, &body, &len), kind);
	if (!body || !strstr(body, text))
		fail_msg("%s is not in %s", text, body ? body : "nothing");
	free(body);
}

static void an_answer_is_sent_and_the_client_closed(void **state)
{
	struct side *s = *state;
	char *body;
	size_t len;

	assert_int_equal(km_clients_frame(s->cs, s->id, KM_FRAME_ITEM, "{\"i\":1}", 7), 0);
	assert_true(km_clients_alive(s->cs, s->id));
	assert_int_equal(km_clients_frame(s->cs, s->id, KM_FRAME_END, "{}", 2), 0);
	assert_false(km_clients_alive(s->cs, s->id));
	assert_int_equal(km_clients_frame(s->cs, s->id, KM_FRAME_END, "{}", 2), -ENOENT);
	expect_frame(s, KM_FRAME_ITEM, "{\"i\":1}");
	expect_frame(s, KM_FRAME_END, "{}");
	assert_int_equal(read_frame(s, &body, &len), 0);
	assert_int_equal(km_clients_count(s->cs), 0);
}

static void the_largest_answer_arrives_whole(void **state)
{
	struct side *s = *state;
	char *big = malloc(KM_CONTROL_BODY_MAX), *body;
	size_t len;

	memset(big, 'x', KM_CONTROL_BODY_MAX);
	assert_int_equal(km_clients_frame(s->cs, s->id, KM_FRAME_END, big, KM_CONTROL_BODY_MAX), 0);
	assert_int_equal(read_frame(s, &body, &len), KM_FRAME_END);
	assert_int_equal(len, KM_CONTROL_BODY_MAX);
	assert_memory_equal(big, body, len);
	free(body);
	free(big);
}

static void an_answer_over_the_maximum_is_an_error(void **state)
{
	struct side *s = *state;
	char *big = calloc(1, KM_CONTROL_BODY_MAX + 1);

	assert_int_equal(km_clients_frame(s->cs, s->id, KM_FRAME_END, big, KM_CONTROL_BODY_MAX + 1),
	                 -ENOBUFS);
	expect_frame(s, KM_FRAME_ERROR, "cut off");
	free(big);
}

static void a_slow_reader_of_a_stream_is_cut_off_and_told(void **state)
{
	static const char item[1000] = { ' ' };
	struct side *s = *state;
	size_t sent = 0, got = 0, len;
	char *body = NULL;
	uint32_t kind;
	int r;

	while ((r = km_clients_frame(s->cs, s->id, KM_FRAME_ITEM, item, sizeof(item))) == 0)
		sent++;
	assert_int_equal(r, -ENOBUFS);
	assert_in_range(sent * sizeof(item), KM_CLIENT_ITEMS_MAX / 2, 4 * KM_CLIENT_ITEMS_MAX);
	assert_int_equal(km_clients_frame(s->cs, s->id, KM_FRAME_ITEM, item, sizeof(item)),
	                 -ENOENT);
	while ((kind = read_frame(s, &body, &len)) == KM_FRAME_ITEM) {
		assert_int_equal(len, sizeof(item));
		free(body);
		got++;
	}
	assert_int_equal(kind, KM_FRAME_ERROR);
	assert_non_null(strstr(body, "too slowly"));
	assert_int_equal(got, sent);
	free(body);
}

static void all_clients_together_are_bounded(void **state)
{
	struct side *s = *state;
	char *big = calloc(1, KM_CONTROL_BODY_MAX);
	int peer[4], r = 0;
	uint64_t id[4];

	for (int i = 0; i < 4; i++) {
		peer[i] = add(s, &id[i]);
		r = km_clients_frame(s->cs, id[i], KM_FRAME_DATA, big, KM_CONTROL_BODY_MAX - 4096);
	}
	assert_int_equal(r, -ENOBUFS);
	for (int i = 0; i < 4; i++)
		close(peer[i]);
	free(big);
}

static void a_client_that_hangs_up_is_noticed(void **state)
{
	struct side *s = *state;

	km_close(&s->peer);
	spin(s);
	assert_false(km_clients_alive(s->cs, s->id));
	assert_int_equal(km_clients_frame(s->cs, s->id, KM_FRAME_ITEM, "{}", 2), -ENOENT);
	assert_int_equal(km_clients_count(s->cs), 0);
}

static void a_client_that_only_shuts_its_writing_side_still_gets_its_answer(void **state)
{
	struct side *s = *state;

	shutdown(s->peer, SHUT_WR);
	spin(s);
	assert_true(km_clients_alive(s->cs, s->id));
	assert_int_equal(km_clients_frame(s->cs, s->id, KM_FRAME_END, "{}", 2), 0);
	expect_frame(s, KM_FRAME_END, "{}");
}

static void an_id_is_never_used_again(void **state)
{
	struct side *s = *state;
	uint64_t again;
	int peer;

	km_clients_drop(s->cs, s->id);
	peer = add(s, &again);
	assert_true(again != s->id);
	assert_int_equal(km_clients_frame(s->cs, s->id, KM_FRAME_END, "{}", 2), -ENOENT);
	assert_true(km_clients_alive(s->cs, again));
	close(peer);
}

static void one_client_too_many_is_told_and_closed(void **state)
{
	struct side *s = *state;
	int peer[KM_CONTROL_CLIENTS_MAX], one = s->peer;
	uint64_t id;

	for (size_t i = 1; i < KM_CONTROL_CLIENTS_MAX; i++)
		peer[i] = add(s, &id);
	assert_int_equal(km_clients_count(s->cs), KM_CONTROL_CLIENTS_MAX);
	s->peer = add(s, &id);
	assert_int_equal(km_clients_count(s->cs), KM_CONTROL_CLIENTS_MAX);
	expect_frame(s, KM_FRAME_ERROR, "too many clients");
	for (size_t i = 1; i < KM_CONTROL_CLIENTS_MAX; i++)
		close(peer[i]);
	close(one);
}

static void who_asks_is_told_by_the_kernel(void **state)
{
	struct side *s = *state;
	struct km_peer peer;

	assert_int_equal(km_peer_read(s->peer, getgid(), &peer), 0);
	assert_int_equal(peer.uid, geteuid());
	assert_int_equal(peer.tgid, getpid());
	assert_true(peer.reader);
	assert_int_equal(peer.changer, geteuid() == 0);
	assert_int_equal(km_peer_read(s->peer, 0x7ffffff0, &peer), 0);
	assert_int_equal(peer.reader, geteuid() == 0);
	assert_int_equal(km_peer_read(-1, 0, &peer), -EBADF);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(an_answer_is_sent_and_the_client_closed),
		T(the_largest_answer_arrives_whole),
		T(an_answer_over_the_maximum_is_an_error),
		T(a_slow_reader_of_a_stream_is_cut_off_and_told),
		T(all_clients_together_are_bounded),
		T(a_client_that_hangs_up_is_noticed),
		T(a_client_that_only_shuts_its_writing_side_still_gets_its_answer),
		T(an_id_is_never_used_again),
		T(one_client_too_many_is_told_and_closed),
		T(who_asks_is_told_by_the_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
