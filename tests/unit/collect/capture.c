// SPDX-License-Identifier: Apache-2.0
/* What is looked at just before a step, of this process. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "collect/capture.h"

struct seen {
	unsigned int count;
	bool status, host;
};

static void see(void *userdata, const char *file, const char *text)
{
	struct seen *s = userdata;

	assert_true(strlen(text) > 0 && strlen(text) < KM_CAPTURE_BYTES);
	s->count++;
	s->status = s->status || (!strcmp(file, "status") && strstr(text, "VmRSS"));
	s->host = s->host || (!strcmp(file, "meminfo") && strstr(text, "MemAvailable"));
}

static void what_a_step_asks_for_is_read_and_no_more(void **state)
{
	struct seen s = { 0 };

	(void)state;
	km_capture(1U << KM_CAPTURE_STATUS, (uint32_t)getpid(), see, &s);
	assert_true(s.status && !s.host);
	assert_int_equal(s.count, 2);
	s = (struct seen){ 0 };
	km_capture(1U << KM_CAPTURE_HOST, (uint32_t)getpid(), see, &s);
	assert_true(s.host && !s.status);
	s = (struct seen){ 0 };
	km_capture(0, (uint32_t)getpid(), see, &s);
	assert_int_equal(s.count, 0);
}

static void of_a_service_that_is_gone_only_the_host_is_left(void **state)
{
	struct seen s = { 0 };

	(void)state;
	km_capture((1U << KM_CAPTURE_MAX) - 1, 0, see, &s);
	assert_true(s.host && !s.status);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_a_step_asks_for_is_read_and_no_more),
		cmocka_unit_test(of_a_service_that_is_gone_only_the_host_is_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
