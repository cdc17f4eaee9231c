/* SPDX-License-Identifier: Apache-2.0 */
/* Help, man page and completion say the same as the command's tables. Runs at the top of the
 * tree, as make test does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/json.h"
#include "run.h"

#define MAN        "tools/man/kmend.8"
#define MAN_DAEMON "tools/man/kmendd.8"
#define COMPLETION "tools/packaging/completion/kmend.bash"

static struct km_json *help_table(void)
{
	struct km_json *doc = NULL;
	struct km_error err;
	struct run r;

	run_begin(&r, (char *[]){ "kmend", "-j", "help", NULL });
	run_end(&r);
	assert_int_equal(r.code, 0);
	assert_int_equal(km_json_parse(r.out, strlen(r.out), "help", &err, &doc), 0);
	run_free(&r);
	return doc;
}

static char *file_text(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		fail_msg("%s: %s (run at the top of the tree)", path, strerror(errno));
	return run_text(fd);
}

static const char *text(const cJSON *node, const char *key)
{
	return cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(node, key));
}

static void each_of(const cJSON *o, void (*cb)(const char *usage, void *userdata), void *userdata)
{
	const cJSON *c;

	cJSON_ArrayForEach(c, cJSON_GetObjectItem(o, "commands"))
	{
		char usage[256];

		snprintf(usage, sizeof(usage), "%s%s%s%s%s", text(o, "object"),
		         text(c, "command")[0] ? " " : "", text(c, "command"),
		         text(c, "args")[0] ? " " : "", text(c, "args"));
		cb(usage, userdata);
	}
}

/* Calls CB for each command with "service list [--limit N]". */
static void each_command(void (*cb)(const char *usage, void *userdata), void *userdata)
{
	struct km_json *doc = help_table();
	const cJSON *o;

	cJSON_ArrayForEach(o, cJSON_GetObjectItem(km_json_root(doc), "objects"))
	{
		each_of(o, cb, userdata);
	}
	km_json_free(doc);
}

struct page {
	const char *text;
	const char *before;
	const char *after;
	unsigned int found;
};

static void is_on(const char *usage, void *userdata)
{
	struct page *p = userdata;
	char want[300];

	snprintf(want, sizeof(want), "%s%s%s", p->before, usage, p->after);
	if (!strstr(p->text, want))
		fail_msg("missing: %s", want);
	p->found++;
}

static unsigned int count(const char *s, const char *what)
{
	unsigned int n = 0;

	while ((s = strstr(s, what))) {
		s += strlen(what);
		n++;
	}
	return n;
}

static void the_man_page_has_exactly_the_commands_of_the_help(void **state)
{
	char *man = file_text(MAN);
	struct page p = { man, "\n.It Ic \"", "\"\n", 0 };

	(void)state;
	each_command(is_on, &p);
	assert_true(p.found > 20);
	assert_int_equal(count(man, "\n.It Ic \""), p.found);
	free(man);
}

static void the_plain_help_has_every_command(void **state)
{
	struct page p = { NULL, "  kmend ", " ", 0 };
	struct run r;

	(void)state;
	run_begin(&r, (char *[]){ "kmend", "help", NULL });
	run_end(&r);
	assert_int_equal(r.code, 0);
	p.text = r.out;
	each_command(is_on, &p);
	run_free(&r);
}

static void every_object_has_help_of_its_own(void **state)
{
	struct km_json *doc = help_table();
	const cJSON *o, *c;

	(void)state;
	cJSON_ArrayForEach(o, cJSON_GetObjectItem(km_json_root(doc), "objects"))
	{
		char object[64];
		struct run r;

		snprintf(object, sizeof(object), "%s", text(o, "object"));
		run_begin(&r, (char *[]){ "kmend", object, "help", NULL });
		run_end(&r);
		assert_int_equal(r.code, 0);
		assert_non_null(strstr(r.out, text(o, "help")));
		cJSON_ArrayForEach(c, cJSON_GetObjectItem(o, "commands"))
		{
			assert_non_null(strstr(r.out, text(c, "help")));
		}
		run_free(&r);
	}
	km_json_free(doc);
}

/* What bash offers behind "kmend WORDS", one a line. */
static void complete(const char *words, struct run *r)
{
	char script[1024];

	snprintf(script, sizeof(script),
	         "source %s; COMP_WORDS=(kmend %s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _kmend;"
	         " printf '<%%s>\\n' \"${COMPREPLY[@]}\"",
	         COMPLETION, words);
	run_begin(r, (char *[]){ "bash", "--norc", "-c", script, NULL });
	run_end(r);
	assert_int_equal(r->code, 0);
	assert_string_equal(r->err, "");
}

static void expect_offer(const struct run *r, const char *word, size_t len)
{
	char want[80];

	snprintf(want, sizeof(want), "<%.*s>\n", (int)len, word);
	if (!strstr(r->out, want))
		fail_msg("completion does not offer %s but:\n%s", want, r->out);
}

/* Every "--option" of USAGE is offered, and no other. */
static void offers_its_options(const char *usage, void *userdata)
{
	size_t own = strcspn(usage, "[ABCDEFGHIJKLMNOPQRSTUVWXYZ");
	const char *at = usage;
	unsigned int n = 0;
	char words[300];
	struct run r;

	(void)userdata;
	snprintf(words, sizeof(words), "%.*s --", (int)own, usage);
	complete(words, &r);
	while ((at = strstr(at, "--"))) {
		size_t len = strcspn(at, " ]");

		expect_offer(&r, at, len);
		at += len;
		n++;
	}
	if (count(r.out, "<--") != n)
		fail_msg("kmend %s: completion offers more:\n%s", usage, r.out);
	run_free(&r);
}

static void offers_its_commands(const cJSON *o)
{
	unsigned int n = 0;
	char words[64];
	const cJSON *c;
	struct run r;

	snprintf(words, sizeof(words), "%s ''", text(o, "object"));
	complete(words, &r);
	cJSON_ArrayForEach(c, cJSON_GetObjectItem(o, "commands"))
	{
		if (!text(c, "command")[0])
			continue;
		expect_offer(&r, text(c, "command"), strlen(text(c, "command")));
		n++;
	}
	if (n)
		assert_int_equal(count(r.out, "<"), n + 1); /* and help */
	run_free(&r);
}

static void completion_offers_exactly_the_objects_commands_and_options(void **state)
{
	struct km_json *doc = help_table();
	const cJSON *o;
	struct run r;

	(void)state;
	complete("''", &r);
	cJSON_ArrayForEach(o, cJSON_GetObjectItem(km_json_root(doc), "objects"))
	{
		expect_offer(&r, text(o, "object"), strlen(text(o, "object")));
		offers_its_commands(o);
	}
	run_free(&r);
	km_json_free(doc);
	each_command(offers_its_options, NULL);
}

static void the_daemons_man_page_has_exactly_its_options(void **state)
{
	char *man = file_text(MAN_DAEMON), *source = file_text("userspace/daemon/main.c");
	unsigned int n = 0;

	(void)state;
	for (const char *at = source; (at = strstr(at, "_argument, NULL, '")); at++) {
		const char *name = at;
		char want[80];

		while (*name != '{')
			name--;
		name = strchr(name, '"') + 1;
		snprintf(want, sizeof(want), "\n.It Fl -%.*s", (int)strcspn(name, "\""), name);
		if (!strstr(man, want))
			fail_msg("missing in %s: %s", MAN_DAEMON, want);
		n++;
	}
	assert_true(n > 5);
	assert_int_equal(count(man, "\n.It Fl -"), n);
	free(source);
	free(man);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_man_page_has_exactly_the_commands_of_the_help),
		cmocka_unit_test(the_plain_help_has_every_command),
		cmocka_unit_test(every_object_has_help_of_its_own),
		cmocka_unit_test(completion_offers_exactly_the_objects_commands_and_options),
		cmocka_unit_test(the_daemons_man_page_has_exactly_its_options),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
