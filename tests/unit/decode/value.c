/* SPDX-License-Identifier: Apache-2.0 */
/* Which values pass phase 2. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/buf.h"
#include "base/json.h"
#include "decode/signal.h"
#include "lib/value.h"

static int decode(const struct km_raw_value *v)
{
	struct km_signal s;

	return km_decode(v, v->hdr.size, &s);
}

static void numbers_are_finite_and_in_range(void **state)
{
	struct value_record r;
	struct km_raw_value *v;

	(void)state;
	v = value_make(&r, KM_SIG_PSI_IO_SOME, KM_ENTITY_HOST, "", 17);
	assert_int_equal(decode(v), 0);
	v->value = NAN;
	assert_int_equal(decode(v), -EBADMSG);
	v->value = INFINITY;
	assert_int_equal(decode(v), -EBADMSG);
	v->value = -1;
	assert_int_equal(decode(v), -EBADMSG);
	v->value = 0;
	v->limit = NAN;
	assert_int_equal(decode(v), -EBADMSG);
	v->limit = -1;
	v->error = -0.5;
	assert_int_equal(decode(v), -EBADMSG);
	v->error = 0;
	v->window_ns = 2;
	v->period_ns = 1;
	assert_int_equal(decode(v), -EBADMSG);
	v->period_ns = 2;
	assert_int_equal(decode(v), 0);
}

static void a_value_is_of_an_entity_that_has_such_a_signal(void **state)
{
	struct value_record r;
	struct km_raw_value *v = value_make(&r, KM_SIG_MAX, KM_ENTITY_HOST, "", 1);

	(void)state;
	assert_int_equal(decode(v), -EBADMSG);
	v->signal = KM_SIG_PSI_IO_SOME;
	v->entity = KM_ENTITY_DEVICE;
	assert_int_equal(decode(v), -EBADMSG);
	v->entity = KM_ENTITY_MAX;
	assert_int_equal(decode(v), -EBADMSG);
	v->signal = KM_SIG_FORKS;
	v->entity = KM_ENTITY_SERVICE; /* of no cgroup */
	assert_int_equal(decode(v), -EBADMSG);
	v->hdr.cgroup_id = 3;
	assert_int_equal(decode(v), 0);
}

static void names_belong_to_what_has_no_cgroup(void **state)
{
	struct value_record r;
	struct km_raw_value *v;

	(void)state;
	v = value_make(&r, KM_SIG_PSI_IO_SOME, KM_ENTITY_HOST, "me", 1);
	assert_int_equal(decode(v), -EBADMSG);
	v->len = 9; /* longer than the record */
	assert_int_equal(decode(v), -EBADMSG);
}

static void it_is_written_with_its_words(void **state)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	struct km_json_writer w;
	struct value_record r;
	struct km_signal s;
	struct km_raw_value *v = value_make(&r, KM_SIG_PSI_IO_SOME, KM_ENTITY_HOST, "", 2500);

	(void)state;
	assert_int_equal(km_buf_new(4096, &out), 0);
	assert_int_equal(km_decode(v, v->hdr.size, &s), 0);
	km_jw_init(&w, out, false);
	km_jw_object(&w);
	km_signal_write(&s, &w);
	km_jw_end_object(&w);
	assert_string_equal(km_buf_text(out),
	                    "{\"type\":\"value\",\"t_ns\":5000000000,\"signal\":\"psi.io.some\","
	                    "\"entity\":\"host\",\"value\":2500,\"unit\":\"ppm\"}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(numbers_are_finite_and_in_range),
		cmocka_unit_test(a_value_is_of_an_entity_that_has_such_a_signal),
		cmocka_unit_test(names_belong_to_what_has_no_cgroup),
		cmocka_unit_test(it_is_written_with_its_words),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
