// SPDX-License-Identifier: Apache-2.0
/* kmend rule promote|demote RULE MODE: one step, tested, with who and why, in policy/modes.json
 * beside the rules. The daemon reads it with them, at its start and at each reload. */
#include "rule_mode.h"

#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>

#include "backtest.h"
#include "base/fs.h"
#include "base/text.h"
#include "review/files.h"
#include "rule_test.h"

#define NEW_FILE KM_MODES_FILE ".new"

struct changing {
	struct km_cli *cli;
	const char *dir; /* of the rules */
	const char *id;
	const char *why;
	int mode; /* wanted */
	bool up;
	struct km_rule *rule;
	char *file;
	struct km_modes *modes;
	int dir_fd;
	struct km_past past; /* its traces */
};

static void km_changing_clear(struct changing *c)
{
	km_rule_free(c->rule);
	free(c->file);
	km_modes_free(c->modes);
	km_close(&c->dir_fd);
	km_past_clear(&c->past);
}

static int complain(struct changing *c, const struct km_error *err, int r)
{
	char line[4 * sizeof(*err)];

	return km_say(c->cli, KM_EXIT_FAILED, NULL, "%s",
	              err->what[0] ? km_error_format(err, line, sizeof(line)) : strerror(-r));
}

static int compile_file(const char *path, struct km_error *err, struct km_rule **ret)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_error doubt;
	int r = km_files_read(path, err, &doubt, &text);

	return r < 0 ? r : km_rule_compile(km_buf_text(text), text->len, path, err, ret);
}

/* The rule of this id among those of the folder, all of which must be good, as for the daemon. */
static int find_rule(struct changing *c, struct km_error *err)
{
	km_autofree(km_fs_free_namesp) char **names = NULL;
	int r = km_files_find(c->dir, err, &names);

	for (size_t i = 0; r == 0 && names[i]; i++) {
		km_autofree(km_rule_freep) struct km_rule *rule = NULL;

		r = compile_file(names[i], err, &rule);
		if (r < 0 || strcmp(rule->id, c->id) != 0)
			continue;
		c->rule = km_take(rule);
		c->file = strdup(names[i]);
		return c->file ? 0 : -ENOMEM;
	}
	if (r == 0)
		snprintf(err->what, sizeof(err->what), "no rule in %.128s has the id %.64s", c->dir,
		         c->id);
	return r < 0 ? r : -ENOENT;
}

static int read_modes(struct changing *c, struct km_error *err)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	int r;

	c->dir_fd = open(c->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->dir_fd < 0)
		return -errno;
	r = km_fs_read_trusted(c->dir_fd, KM_MODES_FILE, KM_CONFIG_BYTES_MAX, err, &text);
	if (r == -ENOENT) {
		*err = (struct km_error){ 0 };
		c->modes = calloc(1, sizeof(*c->modes));
		return c->modes ? 0 : -ENOMEM;
	}
	return r < 0 ? r
	             : km_modes_compile(km_buf_text(text), text->len, KM_MODES_FILE, err,
	                                &c->modes);
}

/* Its tests, said as rule test says them where one fails. */
static int run_tests(struct changing *c)
{
	km_autofree_char char *said = NULL;
	struct km_rule_test_sum sum;
	size_t len;
	FILE *text = open_memstream(&said, &len);
	int r;

	if (!text)
		return km_say(c->cli, KM_EXIT_FAILED, NULL, "%s", strerror(errno));
	r = km_rule_test_paths(&c->file, 1, NULL, text, &sum);
	fclose(text);
	if (r == -EBADMSG || sum.failed || sum.errors)
		return km_say(c->cli, KM_EXIT_FAILED, "mend them, then promote it",
		              "its tests do not pass: %s", said);
	if (r < 0)
		return km_say(c->cli, KM_EXIT_FAILED, NULL, "%s", strerror(-r));
	if (!sum.tests)
		return km_say(c->cli, KM_EXIT_FAILED, "write some beside it (.test.json)",
		              "it has no tests");
	return 0;
}

/* The text that would be promoted, over recorded history: it must not have acted in vain more often
 * than with reason. */
static int run_backtest(struct changing *c)
{
	struct km_backtest_sum sum;
	struct km_error err = { 0 };
	int r;

	if (!c->past.count)
		return km_say(c->cli, KM_EXIT_USAGE, "--trace FILE...",
		              "a promotion needs a back-test over recorded history");
	r = km_backtest_sum(c->cli, c->file, c->past.traces, c->past.count, &err, &sum);
	if (r < 0)
		return complain(c, &err, r);
	if (2 * sum.needless > sum.acted)
		return km_say(c->cli, KM_EXIT_FAILED, "see kmend rule backtest",
		              "in the back-test %llu of its %llu acts were needless",
		              (unsigned long long)sum.needless, (unsigned long long)sum.acted);
	return 0;
}

static void name_caller(char *out, size_t size)
{
	const struct passwd *pw = getpwuid(getuid());
	const char *sudo = getenv("SUDO_USER");

	snprintf(out, size, "%s%s%.64s%s", pw ? pw->pw_name : "unknown", sudo ? " (for " : "",
	         sudo ? sudo : "", sudo ? ")" : "");
}

static int set_entry(struct changing *c)
{
	struct km_modes *m = c->modes;
	const struct km_mode_entry *found = km_modes_get(m, c->id);
	size_t at = found ? (size_t)(found - m->entry) : m->count;
	struct km_mode_entry *e, *list;

	if (!found) {
		list = reallocarray(m->entry, m->count + 1, sizeof(*list));
		if (!list)
			return -ENOMEM;
		while (at > 0 && strcmp(list[at - 1].id, c->id) > 0)
			at--;
		memmove(&list[at + 1], &list[at], (m->count - at) * sizeof(*list));
		m->entry = list;
		m->count++;
	}
	e = &m->entry[at];
	*e = (struct km_mode_entry){ .mode = (enum km_mode)c->mode, .at_s = (uint64_t)time(NULL) };
	km_copy(e->id, sizeof(e->id), c->id);
	km_copy(e->why, sizeof(e->why), c->why);
	name_caller(e->by, sizeof(e->by));
	memcpy(e->digest, c->rule->digest, sizeof(e->digest));
	return 0;
}

static int write_new(struct changing *c, const struct km_buf *text)
{
	km_autoclose int fd = openat(c->dir_fd, NEW_FILE,
	                             O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0644);
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = write(fd, text->data, text->len);
	if (n < 0 || (size_t)n != text->len)
		return n < 0 ? -errno : -ENOSPC;
	return fchmod(fd, 0644) < 0 || fsync(fd) < 0 ? -errno : 0;
}

/* A reader finds the old file or the new one, also after a crash. */
static int write_modes(struct changing *c)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_json_writer w;
	int r = km_buf_new(KM_CONFIG_BYTES_MAX, &text);

	if (r < 0)
		return r;
	km_jw_init(&w, text, true);
	km_modes_write(c->modes, &w);
	km_buf_add(text, "\n", 1);
	r = km_buf_error(text);
	if (r == 0 && mkdirat(c->dir_fd, "policy", 0755) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0)
		r = write_new(c, text);
	if (r == 0 && renameat(c->dir_fd, NEW_FILE, c->dir_fd, KM_MODES_FILE) < 0)
		r = -errno;
	if (r < 0)
		unlinkat(c->dir_fd, NEW_FILE, 0);
	else
		fsync(c->dir_fd);
	return r;
}

/* One step, in the right direction. */
static int check_step(struct changing *c)
{
	int now = (int)km_modes_of(c->modes, c->rule), next = c->up ? now + 1 : now - 1;

	if (c->mode == next)
		return 0;
	if (next < 0 || next >= KM_MODE_MAX)
		return km_say(c->cli, KM_EXIT_FAILED, NULL, "it is in mode %s, there is no step %s",
		              km_mode_names[now], c->up ? "up" : "down");
	return km_say(c->cli, KM_EXIT_FAILED, "one step at a time",
	              "it is in mode %s, the next step %s is %s", km_mode_names[now],
	              c->up ? "up" : "down", km_mode_names[next]);
}

static int change(struct changing *c)
{
	struct km_error err = { 0 };
	int r = find_rule(c, &err);

	if (r == 0)
		r = read_modes(c, &err);
	if (r < 0)
		return complain(c, &err, r);
	r = check_step(c);
	if (r == 0 && c->up)
		r = run_tests(c);
	if (r == 0 && c->up)
		r = run_backtest(c);
	if (r)
		return r;
	r = set_entry(c);
	if (r == 0)
		r = write_modes(c);
	if (r < 0)
		return km_say(c->cli, KM_EXIT_FAILED, "only root may change the mode of a rule",
		              "%s/%s cannot be written: %s", c->dir, KM_MODES_FILE, strerror(-r));
	return 0;
}

static int say_done(struct changing *c)
{
	char digest[65];

	km_hex(c->rule->digest, sizeof(c->rule->digest), digest);
	if (c->cli->format == KM_PLAIN)
		fprintf(c->cli->out,
		        "%s is in mode %s from the next reload on, for the text with hash %.16s\n",
		        c->id, km_mode_names[c->mode], digest);
	else
		fprintf(c->cli->out,
		        "{\"version\":1,\"id\":\"%s\",\"mode\":\"%s\",\"digest\":\"%s\"}\n",
		        c->rule->id, km_mode_names[c->mode], digest);
	return KM_EXIT_DONE;
}

static int run(struct km_cli *cli, int argc, char **argv, bool up)
{
	struct km_word words[] = {
		{ .name = "rule", .required = true },
		{ .name = "mode", .required = true },
		{ .name = "--why", .required = true },
		{ .name = "--rules" },
		{ 0 },
	};
	km_autofree(km_changing_clear) struct changing c = { .cli = cli, .up = up, .dir_fd = -1 };
	int r = up ? km_past_take(argc, argv, &c.past) : argc;

	r = km_words(cli, r, argv, words);
	if (r)
		return r;
	c.id = km_word(words, "rule");
	c.why = km_word(words, "--why");
	c.dir = km_word(words, "--rules") ?: KM_CLI_RULES;
	while (c.mode < KM_MODE_MAX && strcmp(km_mode_names[c.mode], km_word(words, "mode")) != 0)
		c.mode++;
	if (c.mode == KM_MODE_MAX || !c.why || !c.why[0])
		return km_say(cli, KM_EXIT_USAGE,
		              "observe, suggest, approve or auto, and --why TEXT",
		              "which mode, and why?");
	r = change(&c);
	return r ? r : say_done(&c);
}

int km_rule_promote(struct km_cli *cli, int argc, char **argv)
{
	return run(cli, argc, argv, true);
}

int km_rule_demote(struct km_cli *cli, int argc, char **argv)
{
	return run(cli, argc, argv, false);
}
