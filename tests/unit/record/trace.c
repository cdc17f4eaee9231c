/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "record/trace.h"

#define RECORDS 5000

static struct km_raw_level level_of(unsigned int i)
{
	struct km_raw_level l = {
		.hdr = { .type = KM_RAW_LEVEL, .size = sizeof(l), .ktime_ns = 1000 + i },
		.level = i * 7919ULL,
		.limit = KM_UNKNOWN,
	};

	return l;
}

/* A trace of N level records, frames closed every 1,700 records and at the end. */
static struct km_buf *trace_of(unsigned int n)
{
	km_autofree(km_trace_writer_freep) struct km_trace_writer *w = NULL;
	struct km_buf *out = NULL;

	assert_int_equal(km_buf_new(16 << 20, &out), 0);
	assert_int_equal(km_trace_writer_new(out, &w), 0);
	for (unsigned int i = 0; i < n; i++) {
		struct km_raw_level l = level_of(i);

		assert_int_equal(km_trace_add(w, &l), 0);
		if (i % 1700 == 1699)
			assert_int_equal(km_trace_flush(w), 0);
	}
	assert_int_equal(km_trace_flush(w), 0);
	return out;
}

/* Records that can be read, each checked against what was written. */
static unsigned int count(const void *data, size_t len, struct km_trace_stats *stats)
{
	km_autofree(km_trace_reader_freep) struct km_trace_reader *r = NULL;
	const void *raw;
	unsigned int n = 0;

	if (km_trace_reader_new_memory(data, len, &r) < 0) {
		memset(stats, 0, sizeof(*stats));
		return 0;
	}
	while (km_trace_next(r, &raw) > 0) {
		struct km_raw_level l = level_of(n++);

		assert_memory_equal(raw, &l, sizeof(l));
	}
	km_trace_stats(r, stats);
	return n;
}

static void what_was_written_is_read(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *t = trace_of(RECORDS);
	struct km_trace_stats s;

	(void)state;
	assert_int_equal(count(t->data, t->len, &s), RECORDS);
	assert_int_equal(s.cut_at, 0);
	assert_int_equal(s.records, RECORDS);
	assert_int_equal(s.first_ns, 1000);
	assert_int_equal(s.last_ns, 1000 + RECORDS - 1);
	assert_true(s.bytes == t->len && s.plain_bytes > s.bytes);
}

static void a_cut_at_any_byte_keeps_all_whole_frames(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *t = trace_of(RECORDS);
	unsigned int last = 0;

	(void)state;
	for (size_t len = 0; len <= t->len; len += len < 64 ? 1 : 97) {
		struct km_trace_stats s;
		unsigned int n = count(t->data, len, &s);

		assert_true(n >= last);
		assert_true(n == RECORDS || n % 1700 == 0);
		if (s.cut_at)
			assert_true(s.cut_at <= len && s.what[0]);
		last = n;
	}
	assert_true(last > 0);
}

static void a_changed_byte_is_found_and_the_prefix_is_kept(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *t = trace_of(RECORDS);

	(void)state;
	for (size_t i = 0; i < t->len; i += 61) {
		struct km_trace_stats s;
		unsigned int n;

		if (i >= 12 && i < 16)
			continue; /* the head's padding */
		t->data[i] ^= 0x20;
		n = count(t->data, t->len, &s);
		assert_true(n < RECORDS && n % 1700 == 0);
		if (i >= 16)
			assert_true(s.cut_at >= 16 && s.cut_at <= i);
		t->data[i] ^= 0x20;
	}
}

static void a_record_whose_size_is_wrong_is_not_written(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	km_autofree(km_trace_writer_freep) struct km_trace_writer *w = NULL;
	struct kmend_hdr hdr = { .type = KM_RAW_TICK };

	(void)state;
	assert_int_equal(km_buf_new(1 << 20, &out), 0);
	assert_int_equal(km_trace_writer_new(out, &w), 0);
	for (unsigned int size = 0; size < 2 * KMEND_HDR_SIZE; size++) {
		hdr.size = (uint16_t)size;
		if (size < KMEND_HDR_SIZE || size % 8)
			assert_int_equal(km_trace_add(w, &hdr), -EINVAL);
	}
}

static void the_largest_record_fits(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	km_autofree(km_trace_writer_freep) struct km_trace_writer *w = NULL;
	km_autofree(km_trace_reader_freep) struct km_trace_reader *r = NULL;
	struct kmend_hdr *big = calloc(1, KM_RAW_MAX);
	const void *raw;

	(void)state;
	assert_non_null(big);
	big->type = KM_RAW_TEXT;
	big->size = KM_RAW_MAX;
	assert_int_equal(km_buf_new(1 << 20, &out), 0);
	assert_int_equal(km_trace_writer_new(out, &w), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(km_trace_add(w, big), 0);
	assert_int_equal(km_trace_flush(w), 0);
	assert_int_equal(km_trace_reader_new_memory(out->data, out->len, &r), 0);
	for (int i = 0; i < 5; i++)
		assert_int_equal(km_trace_next(r, &raw), KM_RAW_MAX);
	assert_int_equal(km_trace_next(r, &raw), 0);
	free(big);
}

static void a_file_that_is_no_trace_is_refused(void **state)
{
	struct km_trace_reader *r = NULL;

	(void)state;
	assert_int_equal(km_trace_reader_new_memory("", 0, &r), -EBADMSG);
	assert_int_equal(km_trace_reader_new_memory("KMTRACE\0\2\0\0\0\0\0\0\0", 16, &r), -EBADMSG);
	assert_int_equal(km_trace_reader_new_memory("#!/bin/sh\nexit 0\n", 17, &r), -EBADMSG);
	assert_null(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_was_written_is_read),
		cmocka_unit_test(a_cut_at_any_byte_keeps_all_whole_frames),
		cmocka_unit_test(a_changed_byte_is_found_and_the_prefix_is_kept),
		cmocka_unit_test(a_record_whose_size_is_wrong_is_not_written),
		cmocka_unit_test(the_largest_record_fits),
		cmocka_unit_test(a_file_that_is_no_trace_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
