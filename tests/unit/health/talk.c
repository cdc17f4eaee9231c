// SPDX-License-Identifier: Apache-2.0
/* What is said to servers and what their answers mean, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "health/internal.h"

static struct km_probe_result hear(enum km_check_kind kind, const void *answer, size_t len,
                                   int want)
{
	char name[] = "a.example";
	struct km_health_check def = { .kind = kind, .send = name };
	struct km_probe_result result = { .end = KM_PROBE_END_MAX };
	struct km_talk t;

	km_talk_begin(&def, &t);
	assert_int_equal(km_talk_hear(&def, &t, answer, len, &result), want);
	return result;
}

static void redis_answers_are_told_apart(void **state)
{
	static const struct {
		const char *answer;
		enum km_probe_end end;
	} all[] = {
		{ "+PONG\r\n", KM_PROBE_GOOD },
		{ "-NOAUTH Authentication required.\r\n", KM_PROBE_GOOD },
		{ "-LOADING Redis is loading\r\n", KM_PROBE_BAD },
		{ "-ERR\r\n", KM_PROBE_BAD },
		{ "HTTP/1.1 400 Bad Request\r\n", KM_PROBE_BAD },
	};
	char endless[KM_TALK_HEAR_MAX];

	(void)state;
	for (size_t i = 0; i < KM_ARRAY_SIZE(all); i++)
		assert_int_equal(hear(KM_CHECK_REDIS, all[i].answer, strlen(all[i].answer), 1).end,
		                 all[i].end);
	hear(KM_CHECK_REDIS, "+PON", 4, 0);
	memset(endless, 'x', sizeof(endless));
	assert_int_equal(hear(KM_CHECK_REDIS, endless, sizeof(endless), 1).end, KM_PROBE_BAD);
}

static void postgres_that_starts_up_is_not_healthy_and_one_that_refuses_is(void **state)
{
	static const char starting[] = "E\0\0\0\x20SFATAL\0C57P03\0Mstarting\0";
	static const char nobody[] = "E\0\0\0\x20SFATAL\0C28000\0Mno such user\0";
	static const char full[] = "E\0\0\0\x20SFATAL\0C53300\0Mtoo many\0";
	static const char password[] = "R\0\0\0\x08\0\0\0\x03";

	(void)state;
	assert_int_equal(hear(KM_CHECK_POSTGRES, starting, sizeof(starting), 1).end, KM_PROBE_BAD);
	assert_int_equal(hear(KM_CHECK_POSTGRES, full, sizeof(full), 1).end, KM_PROBE_BAD);
	assert_int_equal(hear(KM_CHECK_POSTGRES, nobody, sizeof(nobody), 1).end, KM_PROBE_GOOD);
	assert_int_equal(hear(KM_CHECK_POSTGRES, password, sizeof(password), 1).end, KM_PROBE_GOOD);
	assert_int_equal(hear(KM_CHECK_POSTGRES, "SSH-2.0", 7, 1).end, KM_PROBE_BAD);
	hear(KM_CHECK_POSTGRES, nobody, 12, 0);
}

static void a_dns_answer_must_belong_to_the_question(void **state)
{
	char name[] = "a.example";
	struct km_health_check def = { .kind = KM_CHECK_DNS, .send = name };
	unsigned char answer[12];
	struct km_talk t;

	(void)state;
	km_talk_begin(&def, &t);
	assert_int_equal(t.send_len, 12 + 1 + 1 + 1 + 7 + 1 + 4);
	memcpy(answer, t.send, sizeof(answer));
	assert_int_equal(hear(KM_CHECK_DNS, answer, 12, 1).end, KM_PROBE_BAD); /* a question */
	answer[2] |= 0x80;
	assert_int_equal(hear(KM_CHECK_DNS, answer, 12, 1).end, KM_PROBE_GOOD);
	answer[3] = 3;
	assert_int_equal(hear(KM_CHECK_DNS, answer, 12, 1).end, KM_PROBE_GOOD);
	answer[3] = 2;
	assert_int_equal(hear(KM_CHECK_DNS, answer, 12, 1).end, KM_PROBE_BAD);
	answer[0] ^= 1;
	answer[3] = 0;
	assert_int_equal(hear(KM_CHECK_DNS, answer, 12, 1).end, KM_PROBE_BAD);
	assert_int_equal(hear(KM_CHECK_DNS, answer, 11, 1).end, KM_PROBE_BAD);
}

static void the_longest_name_fits_into_a_question(void **state)
{
	char name[254];
	struct km_health_check def = { .kind = KM_CHECK_DNS, .send = name };
	struct km_talk t;

	(void)state;
	memset(name, 'a', 253);
	for (int i = 63; i < 253; i += 64)
		name[i] = '.';
	name[253] = '\0';
	km_talk_begin(&def, &t);
	assert_int_equal(t.send_len, 12 + 255 + 4);
}

static void a_sign_of_life_counts_for_the_cgroup_it_came_from(void **state)
{
	char name[KM_NAME_MAX];

	(void)state;
	assert_string_equal(km_watchdog_service("0::/system.slice/kmend.service/kmend/web@1\n",
	                                        name, sizeof(name)),
	                    "web@1");
	assert_string_equal(km_watchdog_service("12:pids:/kmend/x\n0::/a/kmend/web/sub\n", name,
	                                        sizeof(name)),
	                    "web");
	assert_null(km_watchdog_service("12:pids:/kmend/x\n0::/user.slice\n", name, sizeof(name)));
	assert_null(km_watchdog_service("0::/user.slice\n1:name=/kmend/x\n", name, sizeof(name)));
	assert_null(km_watchdog_service("", name, sizeof(name)));
	assert_null(km_watchdog_service("0::/kmend/toolong", name, 4));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(redis_answers_are_told_apart),
		cmocka_unit_test(postgres_that_starts_up_is_not_healthy_and_one_that_refuses_is),
		cmocka_unit_test(a_dns_answer_must_belong_to_the_question),
		cmocka_unit_test(the_longest_name_fits_into_a_question),
		cmocka_unit_test(a_sign_of_life_counts_for_the_cgroup_it_came_from),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
