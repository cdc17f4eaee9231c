// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/json.h"

static const char *const colours[] = { "red", "green", "blue", NULL };

struct all {
	char string[8];
	bool flag;
	uint64_t count, duration, bytes;
	double share;
	int colour;
	const cJSON *node, *object, *array;
};

#define AT(member) offsetof(struct all, member)

static const struct km_json_field fields[] = {
	{ "string", KM_JSON_STRING, .offset = AT(string), .size = 8 },
	{ "flag", KM_JSON_BOOL, .offset = AT(flag) },
	{ "count", KM_JSON_COUNT, .offset = AT(count), .min = 2, .max = 10 },
	{ "duration", KM_JSON_DURATION, .offset = AT(duration), .min = KM_NS_PER_S,
	  .max = 60 * KM_NS_PER_S },
	{ "bytes", KM_JSON_BYTES, .offset = AT(bytes), .min = 1024 },
	{ "share", KM_JSON_SHARE, .offset = AT(share) },
	{ "colour", KM_JSON_ENUM, .offset = AT(colour), .names = colours },
	{ "node", KM_JSON_NODE, .offset = AT(node) },
	{ "object", KM_JSON_OBJECT, .offset = AT(object) },
	{ "array", KM_JSON_ARRAY, .offset = AT(array) },
	{ .key = NULL },
};

static const struct km_json_field required[] = {
	{ "flag", KM_JSON_BOOL, .required = true, .offset = AT(flag) },
	{ "node", KM_JSON_NODE, .offset = AT(node) },
	{ .key = NULL },
};

static struct km_json *parse(const char *text)
{
	struct km_json *doc = NULL;
	struct km_error err;

	assert_int_equal(km_json_parse(text, strlen(text), "f.json", &err, &doc), 0);
	return doc;
}

static int read_as(const struct km_json_field *f, const char *text, struct all *ret,
                   struct km_error *err)
{
	km_autofree(km_json_freep) struct km_json *doc = parse(text);

	return km_json_read(doc, km_json_root(doc), f, ret, err);
}

static void every_kind_is_read_into_its_place(void **state)
{
	km_autofree(km_json_freep) struct km_json *doc =
		parse("{\"string\":\"seven77\",\"flag\":true,\"count\":10,\"duration\":\"60s\","
	              "\"bytes\":\"1KiB\",\"share\":\"12.5%\",\"colour\":\"blue\",\"node\":null,"
	              "\"object\":{},\"array\":[1]}");
	struct all all = { .string = "xxxxxxx" };
	struct km_error err;

	(void)state;
	assert_int_equal(km_json_read(doc, km_json_root(doc), fields, &all, &err), 0);
	assert_string_equal(all.string, "seven77");
	assert_true(all.flag);
	assert_int_equal(all.count, 10);
	assert_int_equal(all.duration, 60 * KM_NS_PER_S);
	assert_int_equal(all.bytes, 1024);
	assert_true(all.share == 0.125);
	assert_int_equal(all.colour, 2);
	assert_true(cJSON_IsNull(all.node));
	assert_true(cJSON_IsObject(all.object));
	assert_int_equal(cJSON_GetArraySize(all.array), 1);
}

static void what_is_absent_stays_as_it_was(void **state)
{
	struct all all = { .string = "keep", .count = 77, .flag = true };
	struct km_error err;

	(void)state;
	assert_int_equal(read_as(fields, "{\"colour\":\"red\"}", &all, &err), 0);
	assert_string_equal(all.string, "keep");
	assert_int_equal(all.count, 77);
	assert_true(all.flag);
	assert_int_equal(all.colour, 0);
}

static void a_shorter_string_clears_the_rest_of_its_place(void **state)
{
	struct all all = { .string = "xxxxxxx" };
	struct km_error err;

	(void)state;
	assert_int_equal(read_as(fields, "{\"string\":\"a\"}", &all, &err), 0);
	assert_memory_equal(all.string, "a\0\0\0\0\0\0\0", 8);
}

static void edges_of_ranges_pass(void **state)
{
	static const char *const good[] = {
		"{\"count\":2}",
		"{\"count\":1e1}",
		"{\"count\":2.0}",
		"{\"duration\":\"1s\"}",
		"{\"duration\":\"1000ms\"}",
		"{\"duration\":\"1m\"}",
		"{\"share\":0}",
		"{\"share\":1}",
		"{\"share\":\"0%\"}",
		"{\"share\":\"100%\"}",
		"{\"bytes\":\"1024B\"}",
		"{\"bytes\":\"9TiB\"}",
	};
	struct km_error err;
	struct all all;
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(good); i++)
		if (read_as(fields, good[i], &all, &err) != 0)
			fail_msg("%s: %s", good[i], err.what);
}

static const struct {
	const char *text, *what, *remedy;
	unsigned int line, column;
} bad[] = {
	{ "[]", "an object is expected", "{ ... }", 1, 1 },
	{ "{\n \"string\": 1}", "\"string\" must be a string", "", 2, 2 },
	{ "{\"string\":\"eight888\"}", "longer than 7 bytes", "shorten", 1, 2 },
	{ "{\"flag\":1}", "true or false", "", 1, 2 },
	{ "{\"flag\":\"true\"}", "true or false", "", 1, 2 },
	{ "{\"count\":1}", "must be from 2 to 10", "", 1, 2 },
	{ "{\"count\":11}", "must be from 2 to 10", "", 1, 2 },
	{ "{\"count\":-2}", "a whole number", "", 1, 2 },
	{ "{\"count\":2.5}", "a whole number", "", 1, 2 },
	{ "{\"count\":1e300}", "a whole number", "", 1, 2 },
	{ "{\"count\":\"2\"}", "a whole number", "", 1, 2 },
	{ "{\"duration\":30}", "a unit of time", "\"30s\"", 1, 2 },
	{ "{\"duration\":\"30\"}", "a unit of time", "\"30s\"", 1, 2 },
	{ "{\"duration\":\"999ms\"}", "must be from 1s to 1m00s", "", 1, 2 },
	{ "{\"duration\":\"61s\"}", "must be from 1s to 1m00s", "", 1, 2 },
	{ "{\"bytes\":1024}", "a unit of bytes", "64KiB", 1, 2 },
	{ "{\"bytes\":\"1023B\"}", "at least 1.0 KiB", "", 1, 2 },
	{ "{\"share\":1.01}", "a share", "", 1, 2 },
	{ "{\"share\":-0.1}", "a share", "", 1, 2 },
	{ "{\"share\":\"101%\"}", "a share", "", 1, 2 },
	{ "{\"share\":\"5\"}", "a share", "", 1, 2 },
	{ "{\"share\":\"%\"}", "a share", "", 1, 2 },
	{ "{\"share\":\"1.%\"}", "a share", "", 1, 2 },
	{ "{\"share\":\"-1%\"}", "a share", "", 1, 2 },
	{ "{\"share\":\"1% \"}", "a share", "", 1, 2 },
	{ "{\"share\":null}", "a share", "", 1, 2 },
	{ "{\"colour\":1}", "must be a string", "red, green, blue", 1, 2 },
	{ "{\"colour\":\"gren\"}", "no value \"gren\"", "\"green\"", 1, 2 },
	{ "{\"colour\":\"octarine\"}", "no value", "red, green, blue", 1, 2 },
	{ "{\"colour\":\"Red\"}", "no value", "\"red\"", 1, 2 },
	{ "{\"object\":[]}", "must be an object", "", 1, 2 },
	{ "{\"array\":{}}", "must be an array", "", 1, 2 },
	{ "{\"flag\":true,\n\n  \"cuont\":3}", "unknown key \"cuont\"", "\"count\"", 3, 3 },
	{ "{\"Flag\":true}", "unknown key \"Flag\"", "\"flag\"", 1, 2 },
	{ "{\"somethingelse\":1}", "unknown key", "string, flag, count", 1, 2 },
};

static void what_does_not_fit_is_refused_at_its_key(void **state)
{
	struct km_error err;
	struct all all;
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(bad); i++) {
		if (read_as(fields, bad[i].text, &all, &err) != -EBADMSG)
			fail_msg("%s passed", bad[i].text);
		if (!strstr(err.what, bad[i].what) || !strstr(err.remedy, bad[i].remedy) ||
		    err.line != bad[i].line || err.column != bad[i].column)
			fail_msg("%s: %u:%u: %s; %s", bad[i].text, err.line, err.column, err.what,
			         err.remedy);
	}
}

static void a_missing_required_key_is_named_at_its_object(void **state)
{
	struct km_error err;
	struct all all;

	(void)state;
	assert_int_equal(read_as(required, " {\"node\":1}", &all, &err), -EBADMSG);
	assert_string_equal(err.what, "required key \"flag\" is missing");
	assert_int_equal(err.column, 2);
	assert_int_equal(read_as(required, "{\"flag\":false}", &all, &err), 0);
}

static void durations_are_a_number_and_a_unit(void **state)
{
	static const char *const wrong[] = { "",
		                             "s",
		                             "1",
		                             " 1s",
		                             "1s ",
		                             "-1s",
		                             "1.5s",
		                             "1S",
		                             "1w",
		                             "1h30m",
		                             "+1s",
		                             "0x1s",
		                             "213504d",
		                             "18446744073709551616ns",
		                             "18446744073709551615ns" };
	uint64_t v = 99;
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(wrong); i++)
		assert_int_equal(km_parse_duration(wrong[i], &v), -EINVAL);
	assert_int_equal(v, 99);
	assert_int_equal(km_parse_duration("0s", &v), 0);
	assert_int_equal(v, 0);
	assert_int_equal(km_parse_duration("250ms", &v), 0);
	assert_int_equal(v, 250 * KM_NS_PER_MS);
	assert_int_equal(km_parse_duration("3us", &v), 0);
	assert_int_equal(v, 3000);
	assert_int_equal(km_parse_duration("2h", &v), 0);
	assert_int_equal(v, 7200 * KM_NS_PER_S);
	assert_int_equal(km_parse_duration("213503d", &v), 0);
	assert_int_equal(v, 213503 * (86400 * KM_NS_PER_S));
	assert_int_equal(km_parse_duration("18446744073709551614ns", &v), 0);
}

static void bytes_are_a_number_and_a_unit(void **state)
{
	static const char *const wrong[] = { "",     "B",   "1",      "1K",         "1KB",
		                             "1kib", "-1B", "1.5MiB", "16777216TiB" };
	uint64_t v = 99;
	size_t i;

	(void)state;
	for (i = 0; i < KM_ARRAY_SIZE(wrong); i++)
		assert_int_equal(km_parse_bytes(wrong[i], &v), -EINVAL);
	assert_int_equal(v, 99);
	assert_int_equal(km_parse_bytes("512B", &v), 0);
	assert_int_equal(v, 512);
	assert_int_equal(km_parse_bytes("2GiB", &v), 0);
	assert_int_equal(v, 2ULL << 30);
	assert_int_equal(km_parse_bytes("16777215TiB", &v), 0);
}

static void every_node_knows_its_line(void **state)
{
	km_autofree(km_json_freep) struct km_json *doc =
		parse("[1,\n {\"a\":\n  [2,\n   3]},\n\"x\"]");
	km_autofree(km_json_freep) struct km_json *other = parse("1");
	const cJSON *root = km_json_root(doc), *list;

	(void)state;
	list = cJSON_GetArrayItem(root, 1)->child;
	assert_int_equal(km_json_line(doc, root), 1);
	assert_int_equal(km_json_line(doc, root->child), 1);
	assert_int_equal(km_json_line(doc, cJSON_GetArrayItem(root, 1)), 2);
	/* A member is where its key is. */
	assert_int_equal(km_json_line(doc, list), 2);
	assert_int_equal(km_json_line(doc, list->child), 3);
	assert_int_equal(km_json_line(doc, list->child->next), 4);
	assert_int_equal(km_json_line(doc, cJSON_GetArrayItem(root, 2)), 5);
	assert_int_equal(km_json_line(doc, NULL), 0);
	assert_int_equal(km_json_line(doc, km_json_root(other)), 0);
	assert_null(km_json_free(NULL));
}

static void an_error_without_a_place_has_none_in_its_text(void **state)
{
	struct km_error err = { .file = "a", .what = "b" };
	char out[32];

	(void)state;
	assert_string_equal(km_error_format(&err, out, sizeof(out)), "a: b");
	km_copy(err.remedy, sizeof(err.remedy), "c");
	assert_string_equal(km_error_format(&err, out, sizeof(out)), "a: b; c");
	err.line = 3;
	err.column = 4;
	assert_string_equal(km_error_format(&err, out, sizeof(out)), "a:3:4: b; c");
	memset(&err, 0, sizeof(err));
	km_copy(err.what, sizeof(err.what), "only");
	assert_string_equal(km_error_format(&err, out, sizeof(out)), "only");
	assert_string_equal(km_error_format(&err, out, 3), "on");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_read_into_its_place),
		cmocka_unit_test(what_is_absent_stays_as_it_was),
		cmocka_unit_test(a_shorter_string_clears_the_rest_of_its_place),
		cmocka_unit_test(edges_of_ranges_pass),
		cmocka_unit_test(what_does_not_fit_is_refused_at_its_key),
		cmocka_unit_test(a_missing_required_key_is_named_at_its_object),
		cmocka_unit_test(durations_are_a_number_and_a_unit),
		cmocka_unit_test(bytes_are_a_number_and_a_unit),
		cmocka_unit_test(every_node_knows_its_line),
		cmocka_unit_test(an_error_without_a_place_has_none_in_its_text),
	};

	return cmocka_run_group_tests_name("base/json_read", tests, NULL, NULL);
}
