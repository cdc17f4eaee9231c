// SPDX-License-Identifier: Apache-2.0
/* rules/schema/rule.schema.json and the loader: what the loader takes the schema takes too, what
 * the loader refuses the schema refuses, but for what no schema can say. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <glob.h>
#include <sys/wait.h>

#include "support.h"

/* Ranges of durations, what contradicts what, and what JSON readers do not mind. */
static const char *const beyond[] = {
	"all-two-events",
	"all-up-and-down",
	"forecast-within-31d",
	"guard-approval-8d",
	"guard-backoff-25h",
	"guard-backoff-shrinks",
	"guard-cooldown-31d",
	"lone-surrogate",
	"nul",
	"step-after-stop",
	"step-timeout-11m",
	"step-twice",
	"too-deep",
	"verify-forecast-gone-without",
	"verify-up-after-stop",
	"verify-up-for-longer",
	"verify-within-25h",
};

static bool is_beyond(const char *path)
{
	const char *name = strrchr(path, '/') + 1;

	for (size_t i = 0; i < KM_ARRAY_SIZE(beyond); i++)
		if (strlen(name) == strlen(beyond[i]) + 5 &&
		    !strncmp(name, beyond[i], strlen(beyond[i])))
			return true;
	return false;
}

static void find_files(glob_t *g)
{
	static const char *const patterns[] = {
		"tests/fixtures/rules/*/*.json",
		"tests/fuzz/seeds/rule/*.json",
		"rules/crash/*.json",
		"rules/descriptors/*.json",
		"rules/memory/*.json",
		"rules/threads/*.json",
		"tests/scenario/demo.d/rules/*/*.json",
	};

	for (size_t i = 0; i < KM_ARRAY_SIZE(patterns); i++)
		assert_int_equal(glob(patterns[i], i ? GLOB_APPEND : 0, NULL, g), 0);
	assert_true(g->gl_pathc > 150);
}

/* Runs the schema over FILES; *RET is its output. Its exit code, 127 if it could not be run. */
static int run_schema(const glob_t *files, FILE **ret)
{
	char **argv = calloc(files->gl_pathc + 4, sizeof(*argv));
	int status;
	pid_t pid;

	assert_non_null(argv);
	argv[0] = (char *)"python3";
	argv[1] = (char *)"tests/unit/match/schema.py";
	argv[2] = (char *)"rules/schema/rule.schema.json";
	memcpy(&argv[3], files->gl_pathv, files->gl_pathc * sizeof(*argv));
	*ret = tmpfile();
	assert_non_null(*ret);
	pid = fork();
	if (pid == 0) {
		dup2(fileno(*ret), STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	free(argv);
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

static int disagrees(const char *path, const char *said)
{
	bool schema = !strcmp(said, "accepts\n");
	bool loader = loads(path);

	if (schema == loader && !is_beyond(path))
		return 0;
	if (schema && !loader && is_beyond(path))
		return 0;
	print_error("%s: the schema says %s\tand the loader %s\n", path, said,
	            loader ? "accepts" : "refuses");
	return 1;
}

static void loader_and_schema_agree_on_every_fixture(void **state)
{
	FILE *out = NULL;
	char said[32];
	int code, wrong = 0;
	glob_t g;

	(void)state;
	assert_int_equal(chdir(tree()), 0);
	find_files(&g);
	code = run_schema(&g, &out);
	if (code == 77 || code == 127) {
		print_message("python3-jsonschema is not installed\n");
		fclose(out);
		globfree(&g);
		skip();
	}
	assert_int_equal(code, 0);
	for (size_t i = 0; i < g.gl_pathc; i++) {
		assert_non_null(fgets(said, sizeof(said), out));
		wrong += disagrees(g.gl_pathv[i], said);
	}
	fclose(out);
	globfree(&g);
	assert_int_equal(wrong, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(loader_and_schema_agree_on_every_fixture),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
