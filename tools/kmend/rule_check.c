// SPDX-License-Identifier: Apache-2.0
/* kmend rule check PATH...: what the daemon would say about these files, and what a reviewer should
 * see besides. */
#include "rule_check.h"

#include <time.h>

#include "base/fs.h"
#include "match/rule.h"
#include "review/files.h"
#include "review/lookout.h"

struct check {
	struct km_json_writer *json;
	FILE *text;
	struct km_rule_check_sum *sum;
	const struct km_host_services *host; /* NULL: not asked for */
	struct km_policy *policy;            /* NULL: not asked for */
	struct km_rule **rules;              /* that are good so far */
	size_t room;
	int error;           /* -ENOMEM, kept until the end */
	char untrusted[256]; /* said last: a folder that is wrong is so for all files in it */
};

static void km_check_freep(struct check *c)
{
	km_policy_free(c->policy);
	for (unsigned int i = 0; i < c->sum->rules; i++)
		km_rule_free(c->rules[i]);
	free(c->rules);
}

static void write_json(struct check *c, const char *severity, const struct km_error *e)
{
	km_jw_object(c->json);
	km_jw_kstring(c->json, "severity", severity);
	km_jw_kstring(c->json, "file", e->file);
	km_jw_ku64(c->json, "line", e->line);
	km_jw_ku64(c->json, "column", e->column);
	km_jw_kstring(c->json, "what", e->what);
	km_jw_kstring(c->json, "remedy", e->remedy[0] ? e->remedy : NULL);
	km_jw_end_object(c->json);
}

static void finding(struct check *c, const char *severity, const struct km_error *e)
{
	struct km_error labelled = *e;
	char line[4 * sizeof(struct km_error)];
	int n;

	if (c->json) {
		write_json(c, severity, e);
		return;
	}
	n = snprintf(labelled.what, sizeof(labelled.what), "%s: ", severity);
	km_copy(labelled.what + n, sizeof(labelled.what) - (size_t)n, e->what);
	fprintf(c->text, "%s\n", km_error_format(&labelled, line, sizeof(line)));
}

static void error(struct check *c, const struct km_error *e)
{
	c->sum->errors++;
	finding(c, "error", e);
}

static void warning(void *userdata, const struct km_error *e)
{
	struct check *c = userdata;

	c->sum->warnings++;
	finding(c, "warning", e);
}

static void error_of(struct check *c, const char *path, int r)
{
	struct km_error e = { 0 };

	if (r == -ENOMEM) {
		c->error = r;
		return;
	}
	km_copy(e.file, sizeof(e.file), path);
	snprintf(e.what, sizeof(e.what), "cannot be read: %s", strerror(-r));
	error(c, &e);
}

static int keep(struct check *c, struct km_rule *rule)
{
	if (c->sum->rules == c->room) {
		size_t room = c->room ? 2 * c->room : 64;
		struct km_rule **rules = reallocarray(c->rules, room, sizeof(struct km_rule *));

		if (!rules)
			return -ENOMEM;
		c->rules = rules;
		c->room = room;
	}
	c->rules[c->sum->rules++] = rule;
	return 0;
}

static void look_out(struct check *c, const struct km_rule *rule, const char *path)
{
	km_lookout_rule(rule, path, (uint64_t)time(NULL), c->host, warning, c);
	if (c->policy)
		km_lookout_policy(rule, path, c->policy, warning, c);
}

static void check_text(struct check *c, const char *path, struct km_buf *text)
{
	const struct km_rule_text in = { .text = km_buf_text(text),
		                         .len = text->len,
		                         .file = path,
		                         .warn = warning,
		                         .userdata = c };
	km_autofree(km_rule_freep) struct km_rule *rule = NULL;
	struct km_error e = { 0 };
	int r = km_rule_check(&in, &e, &rule);

	if (r == -EBADMSG)
		error(c, &e);
	else if (r < 0)
		error_of(c, path, r);
	else if (keep(c, rule) < 0)
		c->error = -ENOMEM;
	else
		look_out(c, km_take(rule), path);
}

/* What the daemon would refuse to read is a warning here: a reviewer's copy is not the host's. */
static void warn_of_trust(struct check *c, const struct km_error *e)
{
	if (!strcmp(c->untrusted, e->what))
		return;
	km_copy(c->untrusted, sizeof(c->untrusted), e->what);
	warning(c, e);
}

static void check_file(struct check *c, const char *path)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_error e = { 0 }, doubt;
	int r = km_files_read(path, &e, &doubt, &text);

	c->sum->files++;
	if (doubt.what[0])
		warn_of_trust(c, &doubt);
	if (r == -EBADMSG)
		error(c, &e);
	else if (r < 0)
		c->error = r;
	else
		check_text(c, path, text);
}

static void read_policy(struct check *c, const char *path)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	struct km_error e = { 0 }, doubt;
	int r = km_files_read(path, &e, &doubt, &text);

	if (r == 0)
		r = km_policy_compile(km_buf_text(text), text->len, path, &e, &c->policy);
	if (r == -EBADMSG)
		error(c, &e);
	else if (r < 0)
		c->error = r;
}

static void check_path(struct check *c, const char *path)
{
	km_autofree(km_fs_free_namesp) char **names = NULL;
	struct km_error e = { 0 };
	int r = km_files_find(path, &e, &names);

	if (r == -EBADMSG)
		error(c, &e);
	else if (r < 0)
		c->error = r;
	for (size_t i = 0; r == 0 && names[i] && !c->error; i++)
		check_file(c, names[i]);
}

/* All together, as the daemon would take them. */
static void check_set(struct check *c)
{
	struct km_rules *set = NULL;
	struct km_error e = { 0 };
	int r = km_rules_new(c->rules, c->sum->rules, &e, &set);

	if (r == -EEXIST) {
		error(c, &e);
	} else if (r < 0) {
		error_of(c, "(all rules)", r);
	} else {
		/* the set owns the rules now: give them back, they are counted and freed here */
		memcpy(c->rules, set->rule, c->sum->rules * sizeof(struct km_rule *));
		km_lookout_shadowed(c->rules, c->sum->rules, warning, c);
		set->count = 0;
		km_rules_free(set);
	}
}

static void sum_up(struct check *c)
{
	const struct km_rule_check_sum *s = c->sum;

	if (!c->json) {
		fprintf(c->text, "%u files, %u rules, %u errors, %u warnings\n", s->files, s->rules,
		        s->errors, s->warnings);
		return;
	}
	km_jw_end_array(c->json);
	km_jw_ku64(c->json, "files", s->files);
	km_jw_ku64(c->json, "rules", s->rules);
	km_jw_ku64(c->json, "errors", s->errors);
	km_jw_ku64(c->json, "warnings", s->warnings);
}

int km_rule_check_paths(const struct km_rule_check_in *in, struct km_json_writer *json, FILE *text,
                        struct km_rule_check_sum *ret)
{
	km_autofree(km_check_freep) struct check c = {
		.json = json, .text = text, .sum = ret, .host = in->host
	};

	*ret = (struct km_rule_check_sum){ 0 };
	if (json) {
		km_jw_key(json, "findings");
		km_jw_array(json);
	}
	if (in->policy)
		read_policy(&c, in->policy);
	for (size_t i = 0; i < in->count && !c.error; i++)
		check_path(&c, in->paths[i]);
	if (!c.error && ret->rules)
		check_set(&c);
	sum_up(&c);
	if (c.error)
		return c.error;
	return ret->errors ? -EBADMSG : 0;
}
