// SPDX-License-Identifier: Apache-2.0
/* rules/schema/rule.schema.json and the loader accept and refuse the same rules. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <fcntl.h>
#include <glob.h>
#include <sys/wait.h>

#include "corpus.h"

/* Runs ARGV with its output into *RET. Its exit code, 127 if it could not be run. */
static int run(char *const *argv, FILE **ret)
{
	int status;
	pid_t pid;

	*ret = tmpfile();
	assert_non_null(*ret);
	pid = fork();
	if (pid == 0) {
		dup2(fileno(*ret), STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	rewind(*ret);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static bool loads(const char *path)
{
	struct km_rule *r = NULL;
	struct km_error err;
	size_t len;
	char *text = slurp(path, &len);
	int ret = km_rule_compile(text, len, path, &err, &r);

	free(text);
	km_rule_free(r);
	return ret == 0;
}

/* What SAID says of FILES, a line each, is what the loader does. */
static int compare(const glob_t *files, FILE *said)
{
	char line[32];
	int wrong = 0;

	for (size_t i = 0; i < files->gl_pathc; i++) {
		assert_non_null(fgets(line, sizeof(line), said));
		if (loads(files->gl_pathv[i]) == !strcmp(line, "accepts\n"))
			continue;
		print_error("%s: the schema %s", files->gl_pathv[i], line);
		wrong++;
	}
	return wrong;
}

/* How many files they do not agree on; -1: there is no schema checker. */
static int disagreements(const glob_t *files)
{
	char **argv = calloc(files->gl_pathc + 4, sizeof(*argv));
	FILE *said = NULL;
	int code, wrong = 0;

	assert_non_null(argv);
	argv[0] = (char *)"python3";
	argv[1] = (char *)"tests/unit/match/schema.py";
	argv[2] = (char *)"rules/schema/rule.schema.json";
	memcpy(&argv[3], files->gl_pathv, files->gl_pathc * sizeof(*argv));
	code = run(argv, &said);
	free(argv);
	if (code == 77 || code == 127) {
		print_message("python3-jsonschema is not installed\n");
		fclose(said);
		return -1;
	}
	assert_int_equal(code, 0);
	wrong = compare(files, said);
	fclose(said);
	return wrong;
}

static void conclude(int wrong)
{
	if (wrong < 0)
		skip();
	assert_int_equal(wrong, 0);
}

/* Files beside the rules that are none; how many are left. */
static size_t leave_out_tests(glob_t *g)
{
	size_t n = 0;

	for (size_t i = 0; i < g->gl_pathc; i++) {
		char *path = g->gl_pathv[i];

		if (strstr(path, ".test.json"))
			free(path);
		else
			g->gl_pathv[n++] = path;
	}
	g->gl_pathc = n;
	g->gl_pathv[n] = NULL;
	return n;
}

static void loader_and_schema_accept_the_same_rules(void **state)
{
	static const char *const patterns[] = {
		"tests/fixtures/rules/good/*.json",
		"tests/fuzz/seeds/rule/*.json",
		"rules/[!ps]*/*.json",
		"tests/scenario/demo.d/rules/*/*.json",
	};
	glob_t g;
	int wrong;

	(void)state;
	assert_int_equal(chdir(tree()), 0);
	for (size_t i = 0; i < KM_ARRAY_SIZE(patterns); i++)
		assert_int_equal(glob(patterns[i], i ? GLOB_APPEND : 0, NULL, &g), 0);
	assert_true(leave_out_tests(&g) > 60);
	wrong = disagreements(&g);
	globfree(&g);
	conclude(wrong);
}

static void write_file(int dir, const char *name, const struct km_buf *text)
{
	char file[KM_NAME_MAX];
	int fd;

	snprintf(file, sizeof(file), "%.200s.json", name);
	fd = openat(dir, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text->data, text->len), (ssize_t)text->len);
	close(fd);
}

static void remove_all(const char *folder, const glob_t *files)
{
	for (size_t i = 0; i < files->gl_pathc; i++)
		unlink(files->gl_pathv[i]);
	rmdir(folder);
}

static void loader_and_schema_refuse_the_same_rules(void **state)
{
	char folder[] = "schema-XXXXXX", pattern[64];
	static struct corpus c;
	size_t seen = 0;
	glob_t g;
	int dir, wrong;

	(void)state;
	assert_int_equal(chdir(tree()), 0);
	assert_non_null(mkdtemp(folder));
	dir = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	corpus_load(&c);
	for (size_t i = 0; i < c.count; i++) {
		if (is_of_the_text(&c.rule[i]))
			continue;
		write_file(dir, c.rule[i].name, c.rule[i].text);
		seen++;
	}
	close(dir);
	corpus_free(&c);
	snprintf(pattern, sizeof(pattern), "%s/*.json", folder);
	assert_int_equal(glob(pattern, 0, NULL, &g), 0);
	assert_true(seen >= 540 && g.gl_pathc == seen);
	wrong = disagreements(&g);
	remove_all(folder, &g);
	globfree(&g);
	conclude(wrong);
}

static void the_schema_is_what_its_maker_makes_of_the_loaders_words(void **state)
{
	char *argv[] = { (char *)"python3", (char *)"rules/schema/make.py", NULL };
	size_t len, made;
	char *schema = slurp("rules/schema/rule.schema.json", &len), *text;
	FILE *out = NULL;
	int code;

	(void)state;
	assert_int_equal(chdir(tree()), 0);
	code = run(argv, &out);
	text = malloc(len + 2);
	assert_non_null(text);
	made = fread(text, 1, len + 1, out);
	fclose(out);
	if (code == 0 && (made != len || memcmp(text, schema, len) != 0))
		fail_msg("run: rules/schema/make.py > rules/schema/rule.schema.json");
	free(text);
	free(schema);
	if (code == 127) {
		print_message("python3 is not installed\n");
		skip();
	}
	assert_int_equal(code, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_schema_is_what_its_maker_makes_of_the_loaders_words),
		cmocka_unit_test(loader_and_schema_accept_the_same_rules),
		cmocka_unit_test(loader_and_schema_refuse_the_same_rules),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
