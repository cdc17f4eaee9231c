// SPDX-License-Identifier: Apache-2.0
/* Hostile bytes never pass phase 2, and good ones pass unchanged. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/text.h"
#include "base/json.h"
#include "base/buf.h"
#include "decode/kinds.h"

/* Room for the largest record, aligned as the contract asks. */
static _Alignas(8) unsigned char room[KM_RAW_MAX + 8];

static void *make(uint16_t type, size_t size)
{
	struct kmend_hdr *hdr = (struct kmend_hdr *)room;

	memset(room, 0, sizeof(room));
	hdr->type = type;
	hdr->size = (uint16_t)size;
	hdr->ktime_ns = 5 * KM_NS_PER_S;
	hdr->cgroup_id = 77;
	return room;
}

static int decode(struct km_signal *ret)
{
	return km_decode(room, ((struct kmend_hdr *)room)->size, ret);
}

/* The least that a record of this kind must say to be accepted. */
static void *make_good(const struct km_kind *kind)
{
	void *raw = make(kind->type, kind->size);

	if (kind->type == KMEND_SIGNAL)
		((struct kmend_signal *)raw)->signal = 9;
	if (kind->type == KMEND_TCP_STATE)
		((struct kmend_tcp_state *)raw)->family = 2;
	if (kind->type == KM_RAW_CGROUP)
		((struct km_raw_cgroup *)raw)->path[0] = '/';
	if (kind->type == KM_RAW_OUTCOME)
		((struct km_raw_outcome *)raw)->service[0] = 's';
	if (kind->type == KMEND_CONNECTS)
		((struct kmend_connects *)raw)->family = 2;
	if (kind->type == KM_RAW_ENDPOINT) {
		((struct km_raw_endpoint *)raw)->service[0] = 's';
		((struct km_raw_endpoint *)raw)->endpoint[0] = 'e';
	}
	if (kind->type == KM_RAW_HEALTH) {
		((struct km_raw_health *)raw)->service[0] = 's';
		((struct km_raw_health *)raw)->check[0] = 'c';
	}
	if (kind->type == KM_RAW_LEASE) {
		((struct km_raw_lease *)raw)->service[0] = 's';
		((struct km_raw_lease *)raw)->depths = KM_DEPTH_CALLS;
	}
	if (kind->type == KM_RAW_STATE) {
		((struct km_raw_state *)raw)->row_size = 16;
		((struct kmend_hdr *)raw)->size = sizeof(struct km_raw_state) + 16;
	}
	if (kind->type == KM_RAW_SAID) {
		((struct km_raw_said *)raw)->len = 2;
		((struct kmend_hdr *)raw)->size = sizeof(struct km_raw_said) + 8;
	}
	return raw;
}

static void every_type_is_accepted_at_its_size(void **state)
{
	struct km_signal s;

	(void)state;
	for (const struct km_kind *kind = km_kinds; kind->name; kind++) {
		make_good(kind);
		assert_int_equal(decode(&s), 0);
		assert_int_equal(s.type, kind->type);
		assert_int_equal(s.t_ns, 5 * KM_NS_PER_S);
		assert_int_equal(s.cgroup_id, 77);
		assert_string_equal(km_signal_name(kind->type), kind->name);
	}
	assert_string_equal(km_signal_name(255), "unknown");
}

static void a_record_eight_bytes_short_or_long_is_refused(void **state)
{
	struct km_signal s;

	(void)state;
	for (const struct km_kind *kind = km_kinds; kind->name; kind++) {
		struct kmend_hdr *hdr = make_good(kind);

		hdr->size = (uint16_t)(hdr->size - 8);
		assert_int_equal(decode(&s), -EBADMSG);
		if (kind->type == KMEND_CANARY)
			continue;
		hdr->size = (uint16_t)(hdr->size + 16);
		assert_int_equal(decode(&s), -EBADMSG);
	}
}

static void a_size_that_is_not_the_length_is_refused(void **state)
{
	struct km_signal s;
	struct kmend_hdr *hdr = make(KM_RAW_TICK, sizeof(struct km_raw_tick));

	(void)state;
	assert_int_equal(km_decode(room, sizeof(*hdr) + 8, &s), -EBADMSG);
	assert_int_equal(km_decode(room, 16, &s), -EBADMSG);
	assert_int_equal(km_decode(room, 0, &s), -EBADMSG);
	hdr->size = 23;
	assert_int_equal(km_decode(room, 23, &s), -EBADMSG);
	assert_int_equal(km_decode(room, KM_RAW_MAX + 8, &s), -EBADMSG);
}

static void a_type_of_the_future_is_told_apart_from_damage(void **state)
{
	struct km_signal s;

	(void)state;
	make(63, 64);
	assert_int_equal(decode(&s), -ENOTSUP);
	make(KM_RAW_MAX_TYPE, 64);
	assert_int_equal(decode(&s), -ENOTSUP);
	make(KMEND_NONE, 64);
	assert_int_equal(decode(&s), -ENOTSUP);
}

static void a_failure_leaves_the_result_untouched(void **state)
{
	struct km_signal s, before;

	(void)state;
	memset(&s, 0x5a, sizeof(s));
	memset(&before, 0x5a, sizeof(before));
	((struct kmend_exit *)make(KMEND_EXIT, sizeof(struct kmend_exit)))->exit_code = 0x10000;
	assert_int_equal(decode(&s), -EBADMSG);
	assert_memory_equal(&s, &before, sizeof(s));
}

static void times_near_the_wrap_are_refused(void **state)
{
	struct km_signal s;
	struct kmend_hdr *hdr = make(KM_RAW_TICK, sizeof(struct km_raw_tick));

	(void)state;
	hdr->ktime_ns = INT64_MAX;
	assert_int_equal(decode(&s), 0);
	hdr->ktime_ns = (uint64_t)INT64_MAX + 1;
	assert_int_equal(decode(&s), -EBADMSG);
}

static void an_unterminated_string_is_refused_in_every_place(void **state)
{
	struct km_signal s;

	(void)state;
	for (const struct km_kind *kind = km_kinds; kind->name; kind++)
		for (size_t i = 0; i < KM_KIND_STRINGS && kind->strings[i].size > 0; i++) {
			unsigned char *raw = make_good(kind);

			memset(raw + kind->strings[i].offset, 'a', kind->strings[i].size);
			assert_int_equal(decode(&s), -EBADMSG);
		}
}

static void bad_utf8_is_cleaned_and_what_lies_behind_the_end_is_dropped(void **state)
{
	struct km_signal s;
	struct kmend_exec *e = make(KMEND_EXEC, sizeof(*e));

	(void)state;
	memcpy(e->comm, "a\xff\x1b[31m\0secret", 14);
	memcpy(e->path, "/bin/\xc3\xa9\xc3", 9);
	assert_int_equal(decode(&s), 0);
	assert_string_equal(s.exec.comm, "a\xef\xbf\xbd\x1b[31m");
	assert_string_equal(s.exec.path, "/bin/\xc3\xa9\xef\xbf\xbd");
	for (size_t i = strlen(s.exec.comm); i < sizeof(s.exec.comm); i++)
		assert_int_equal(s.exec.comm[i], 0);
}

static void cleaning_that_makes_a_name_longer_cuts_at_a_character(void **state)
{
	struct km_signal s;
	struct kmend_exit *e = make(KMEND_EXIT, sizeof(*e));

	(void)state;
	memset(e->comm, 0xff, sizeof(e->comm) - 1);
	assert_int_equal(decode(&s), 0);
	assert_true(km_utf8_valid(s.exit.comm, strlen(s.exit.comm)));
	assert_int_equal(strlen(s.exit.comm), 15);
}

static void text_pieces_stay_inside_their_total(void **state)
{
	struct km_signal s;
	struct km_raw_text *t = make(KM_RAW_TEXT, sizeof(*t) + 8);

	(void)state;
	*t = (struct km_raw_text){ .hdr = t->hdr, .kind = KM_TEXT_RULE, .total = 5, .len = 5 };
	assert_int_equal(decode(&s), 0);
	assert_ptr_equal(s.text, t);
	t->offset = 1;
	assert_int_equal(decode(&s), -EBADMSG);
	t->offset = UINT32_MAX;
	assert_int_equal(decode(&s), -EBADMSG);
	t->offset = 0;
	t->total = KM_JSON_BYTES_MAX;
	assert_int_equal(decode(&s), 0);
	t->total = KM_JSON_BYTES_MAX + 1;
	assert_int_equal(decode(&s), -EBADMSG);
	t->total = 5;
	t->kind = KM_TEXT_KIND_MAX;
	assert_int_equal(decode(&s), -EBADMSG);
	t->kind = KM_TEXT_COMMIT;
	assert_int_equal(decode(&s), -EBADMSG);
	t->kind = KM_TEXT_RULE;
	t->file[0] = (char)0xff;
	assert_int_equal(decode(&s), -EBADMSG);
}

static void a_text_piece_is_at_most_its_maximum(void **state)
{
	struct km_signal s;
	struct km_raw_text *t = make(KM_RAW_TEXT, sizeof(*t) + KM_RAW_TEXT_PIECE);

	(void)state;
	t->total = KM_JSON_BYTES_MAX;
	t->len = KM_RAW_TEXT_PIECE;
	assert_int_equal(decode(&s), 0);
	t->hdr.size = (uint16_t)(t->hdr.size + 8);
	t->len = KM_RAW_TEXT_PIECE + 1;
	assert_int_equal(decode(&s), -EBADMSG);
	t->hdr.size = sizeof(*t);
	t->len = 0;
	assert_int_equal(decode(&s), -EBADMSG);
}

static void enums_beyond_their_end_are_refused(void **state)
{
	struct km_signal s;

	(void)state;
	((struct km_raw_level *)make(KM_RAW_LEVEL, sizeof(struct km_raw_level)))->resource =
		KM_RESOURCE_MAX;
	assert_int_equal(decode(&s), -EBADMSG);
	((struct km_raw_command *)make(KM_RAW_COMMAND, sizeof(struct km_raw_command)))->command =
		KM_CMD_MAX;
	assert_int_equal(decode(&s), -EBADMSG);
	((struct km_raw_loss *)make(KM_RAW_LOSS, sizeof(struct km_raw_loss)))->lost = 1;
	assert_int_equal(decode(&s), -EBADMSG);
	((struct km_raw_probe *)make(KM_RAW_PROBE, sizeof(struct km_raw_probe)))->available = 2;
	assert_int_equal(decode(&s), -EBADMSG);
	((struct kmend_task *)make(KMEND_TASK, sizeof(struct kmend_task)))->has = 64;
	assert_int_equal(decode(&s), -EBADMSG);
	((struct kmend_task *)make(KMEND_TASK, sizeof(struct kmend_task)))->state = 27;
	assert_int_equal(decode(&s), -EBADMSG);
	((struct km_raw_host *)make(KM_RAW_HOST, sizeof(struct km_raw_host)))->psi_io_full_ppm =
		1000001;
	assert_int_equal(decode(&s), -EBADMSG);
	((struct km_raw_clock *)make(KM_RAW_CLOCK, sizeof(struct km_raw_clock)))->realtime_ns =
		UINT64_MAX;
	assert_int_equal(decode(&s), -EBADMSG);
}

static void a_health_record_names_service_and_check(void **state)
{
	struct km_signal s;
	struct km_raw_health *h = make(KM_RAW_HEALTH, sizeof(*h));

	(void)state;
	assert_int_equal(decode(&s), -EBADMSG);
	h->service[0] = 'x';
	assert_int_equal(decode(&s), -EBADMSG);
	h->check[0] = 'y';
	assert_int_equal(decode(&s), 0);
	h->health = KM_HEALTH_MAX;
	assert_int_equal(decode(&s), -EBADMSG);
	h->health = KM_UNHEALTHY;
	h->believe_ns = UINT64_MAX;
	assert_int_equal(decode(&s), -EBADMSG);
	h->believe_ns = 0;
	h->life_s = UINT64_MAX;
	assert_int_equal(decode(&s), -EBADMSG);
}

static void a_route_goes_to_a_standby_or_nowhere(void **state)
{
	struct km_raw_endpoint *e = make(KM_RAW_ENDPOINT, sizeof(*e));
	struct km_signal s;

	(void)state;
	e->service[0] = e->endpoint[0] = 'x';
	assert_int_equal(decode(&s), 0);
	e->share = 1;
	assert_int_equal(decode(&s), -EBADMSG);
	e->standby = KM_STANDBYS_MAX;
	assert_int_equal(decode(&s), 0);
	e->standby++;
	assert_int_equal(decode(&s), -EBADMSG);
	e->standby = 1;
	e->share = KMEND_SHARE_ALL + 1;
	assert_int_equal(decode(&s), -EBADMSG);
	e->share = 1;
	e->outlives = 2;
	assert_int_equal(decode(&s), -EBADMSG);
	e->outlives = 1;
	e->endpoint[0] = '\0';
	assert_int_equal(decode(&s), -EBADMSG);
}

static void a_lease_names_what_is_looked_at(void **state)
{
	struct km_signal s;
	struct km_raw_lease *l = make(KM_RAW_LEASE, sizeof(*l));

	(void)state;
	l->service[0] = 'x';
	assert_int_equal(decode(&s), -EBADMSG);
	l->depths = KM_DEPTH_ALL;
	assert_int_equal(decode(&s), 0);
	l->depths = KM_DEPTH_ALL + 1;
	assert_int_equal(decode(&s), -EBADMSG);
	l->depths = KM_DEPTH_DNS;
	l->person = 2;
	assert_int_equal(decode(&s), -EBADMSG);
	l->person = 1;
	l->state = KM_LEASE_STATE_MAX;
	assert_int_equal(decode(&s), -EBADMSG);
}

static void a_signal_number_is_one_that_exists(void **state)
{
	struct km_signal s;
	struct kmend_signal *g = make(KMEND_SIGNAL, sizeof(*g));

	(void)state;
	assert_int_equal(decode(&s), -EBADMSG);
	g->signal = 65;
	assert_int_equal(decode(&s), -EBADMSG);
	g->signal = 64;
	assert_int_equal(decode(&s), 0);
	g->result = 5;
	assert_int_equal(decode(&s), -EBADMSG);
}

static void a_cgroup_has_a_path_and_a_number(void **state)
{
	struct km_signal s;
	struct km_raw_cgroup *c = make(KM_RAW_CGROUP, sizeof(*c));

	(void)state;
	assert_int_equal(decode(&s), -EBADMSG);
	c->gone = 1;
	assert_int_equal(decode(&s), 0);
	strcpy(c->path, "relative");
	assert_int_equal(decode(&s), -EBADMSG);
	strcpy(c->path, "/system.slice");
	assert_int_equal(decode(&s), 0);
	c->hdr.cgroup_id = 0;
	assert_int_equal(decode(&s), -EBADMSG);
}

static void a_process_found_by_pidfile_names_its_service(void **state)
{
	struct km_signal s;
	struct km_raw_process *p = make(KM_RAW_PROCESS, sizeof(*p));

	(void)state;
	p->source = KM_FROM_PIDFILE;
	assert_int_equal(decode(&s), -EBADMSG);
	p->service[0] = 'x';
	assert_int_equal(decode(&s), 0);
	p->wait_status = -2;
	assert_int_equal(decode(&s), -EBADMSG);
	p->wait_status = 0x10000;
	assert_int_equal(decode(&s), -EBADMSG);
}

static void an_outcome_names_its_service_and_a_real_error(void **state)
{
	struct km_signal s;
	struct km_raw_outcome *o = make(KM_RAW_OUTCOME, sizeof(*o));

	(void)state;
	assert_int_equal(decode(&s), -EBADMSG);
	o->service[0] = 'x';
	o->error = -4095;
	assert_int_equal(decode(&s), 0);
	o->error = 1;
	assert_int_equal(decode(&s), -EBADMSG);
	o->error = -4096;
	assert_int_equal(decode(&s), -EBADMSG);
}

static void a_state_row_fills_its_record_exactly(void **state)
{
	struct km_signal s;
	struct km_raw_state *r = make(KM_RAW_STATE, sizeof(*r) + 16);

	(void)state;
	r->row_size = 16;
	assert_int_equal(decode(&s), 0);
	assert_ptr_equal(s.state, r);
	r->row_size = 8;
	assert_int_equal(decode(&s), -EBADMSG);
	r->row_size = UINT32_MAX - 7;
	assert_int_equal(decode(&s), -EBADMSG);
	r->row_size = 0;
	assert_int_equal(decode(&s), -EBADMSG);
}

static void every_signal_is_written_as_valid_json(void **state)
{
	(void)state;
	for (const struct km_kind *kind = km_kinds; kind->name; kind++) {
		km_autofree(km_buf_freep) struct km_buf *out = NULL;
		km_autofree(km_json_freep) struct km_json *doc = NULL;
		struct km_json_writer w;
		struct km_error err;
		struct km_signal s;

		make_good(kind);
		assert_int_equal(decode(&s), 0);
		assert_int_equal(km_buf_new(65536, &out), 0);
		km_jw_init(&w, out, false);
		km_jw_object(&w);
		km_signal_write(&s, &w);
		km_jw_end_object(&w);
		assert_int_equal(km_json_parse(km_buf_text(out), out->len, "s", &err, &doc), 0);
		assert_string_equal(cJSON_GetObjectItem(km_json_root(doc), "type")->valuestring,
		                    kind->name);
	}
}

static void what_was_not_measured_is_null_and_not_zero(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	struct km_json_writer w;
	struct km_signal s;
	struct kmend_task *t = make(KMEND_TASK, sizeof(*t));

	(void)state;
	t->has = KMEND_HAS_FDS;
	t->fds = 12;
	assert_int_equal(decode(&s), 0);
	assert_int_equal(km_buf_new(65536, &out), 0);
	km_jw_init(&w, out, false);
	km_jw_object(&w);
	km_signal_write(&s, &w);
	km_jw_end_object(&w);
	assert_non_null(strstr(km_buf_text(out), "\"fds\":12"));
	assert_non_null(strstr(km_buf_text(out), "\"anon_bytes\":null"));
}

static uint32_t lcg(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ULL + 1442695040888963407ULL;
	return (uint32_t)(*seed >> 33);
}

/* Bytes of chance in a right-sized record: whatever passes must be written without harm. */
static void noise_is_safe(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	struct km_json_writer w;
	uint64_t seed = 1;

	(void)state;
	assert_int_equal(km_buf_new(1 << 20, &out), 0);
	for (unsigned int i = 0; i < 20000; i++) {
		const struct km_kind *kind = &km_kinds[i % 22];
		unsigned char *raw = make_good(kind);
		struct km_signal s;

		for (unsigned int n = lcg(&seed) % 32; n > 0; n--)
			raw[4 + lcg(&seed) % (unsigned int)(kind->size - 4)] =
				(unsigned char)lcg(&seed);
		if (decode(&s) < 0)
			continue;
		km_buf_reset(out);
		km_jw_init(&w, out, false);
		km_jw_object(&w);
		km_signal_write(&s, &w);
		km_jw_end_object(&w);
		assert_int_equal(km_buf_error(out), 0);
		assert_true(km_utf8_valid(km_buf_text(out), out->len));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_type_is_accepted_at_its_size),
		cmocka_unit_test(a_record_eight_bytes_short_or_long_is_refused),
		cmocka_unit_test(a_size_that_is_not_the_length_is_refused),
		cmocka_unit_test(a_type_of_the_future_is_told_apart_from_damage),
		cmocka_unit_test(a_failure_leaves_the_result_untouched),
		cmocka_unit_test(times_near_the_wrap_are_refused),
		cmocka_unit_test(an_unterminated_string_is_refused_in_every_place),
		cmocka_unit_test(bad_utf8_is_cleaned_and_what_lies_behind_the_end_is_dropped),
		cmocka_unit_test(cleaning_that_makes_a_name_longer_cuts_at_a_character),
		cmocka_unit_test(text_pieces_stay_inside_their_total),
		cmocka_unit_test(a_text_piece_is_at_most_its_maximum),
		cmocka_unit_test(enums_beyond_their_end_are_refused),
		cmocka_unit_test(a_health_record_names_service_and_check),
		cmocka_unit_test(a_route_goes_to_a_standby_or_nowhere),
		cmocka_unit_test(a_lease_names_what_is_looked_at),
		cmocka_unit_test(a_signal_number_is_one_that_exists),
		cmocka_unit_test(a_cgroup_has_a_path_and_a_number),
		cmocka_unit_test(a_process_found_by_pidfile_names_its_service),
		cmocka_unit_test(an_outcome_names_its_service_and_a_real_error),
		cmocka_unit_test(a_state_row_fills_its_record_exactly),
		cmocka_unit_test(every_signal_is_written_as_valid_json),
		cmocka_unit_test(what_was_not_measured_is_null_and_not_zero),
		cmocka_unit_test(noise_is_safe),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
