// SPDX-License-Identifier: Apache-2.0
/* Which files make up the set that is put in force. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "daemon/setup.h"

struct folder {
	char path[64];
	char config[96];
};

static void put(const struct folder *f, const char *name, const char *text)
{
	char path[160];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", f->path, name);
	file = fopen(path, "we");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
	assert_int_equal(chmod(path, 0644), 0);
}

static int make_folder(void **state)
{
	struct folder *f = calloc(1, sizeof(*f));
	char path[128];

	assert_non_null(f);
	snprintf(f->path, sizeof(f->path), "/tmp/kmend-texts-XXXXXX");
	assert_non_null(mkdtemp(f->path));
	snprintf(f->config, sizeof(f->config), "%s/kmend.json", f->path);
	snprintf(path, sizeof(path), "%s/services.d", f->path);
	assert_int_equal(mkdir(path, 0755), 0);
	put(f, "kmend.json", "{\"version\":1,\"services\":[{\"unit\":\"a.service\"}]}");
	*state = f;
	return 0;
}

static int remove_folder(void **state)
{
	static const char *const names[] = { "services.d/b.json", "services.d/c.json",
		                             "services.d/notes.txt", "kmend.json" };
	struct folder *f = *state;
	char path[160];

	for (size_t i = 0; i < KM_ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/%s", f->path, names[i]);
		unlink(path);
	}
	snprintf(path, sizeof(path), "%s/services.d", f->path);
	rmdir(path);
	rmdir(f->path);
	free(f);
	return 0;
}

static int read_set(const struct folder *f, struct km_error *err, struct km_set *ret)
{
	km_autofree(km_texts_clear) struct km_texts texts = { 0 };
	struct km_daemon_opts opts = { .config = f->config };
	int r = km_setup_read_texts(&opts, &texts, err);

	return r < 0 ? r : km_texts_compile(&texts, err, ret);
}

static void services_beside_the_configuration_are_of_the_set(void **state)
{
	km_autofree(km_set_clear) struct km_set set = { 0 };
	struct folder *f = *state;
	struct km_error err;

	put(f, "services.d/b.json", "{\"version\":1,\"services\":[{\"unit\":\"b.service\"}]}");
	put(f, "services.d/c.json",
	    "{\"version\":1,\"services\":[{\"unit\":\"c.service\",\"needs\":[\"a.service\"]}]}");
	put(f, "services.d/notes.txt", "not JSON");
	assert_int_equal(read_set(f, &err, &set), 0);
	assert_int_equal(set.config->service_count, 3);
	assert_int_equal(km_config_service(set.config, "c.service")->rank, 1);
}

static void a_link_among_them_is_refused_not_overlooked(void **state)
{
	km_autofree(km_set_clear) struct km_set set = { 0 };
	struct folder *f = *state;
	struct km_error err;
	char path[160];

	snprintf(path, sizeof(path), "%s/services.d/b.json", f->path);
	assert_int_equal(symlink("../kmend.json", path), 0);
	assert_int_equal(read_set(f, &err, &set), -ELOOP);
	assert_non_null(strstr(err.file, "b.json"));
}

static void a_file_that_others_may_write_is_refused(void **state)
{
	km_autofree(km_set_clear) struct km_set set = { 0 };
	struct folder *f = *state;
	struct km_error err;
	char path[160];

	put(f, "services.d/b.json", "{\"version\":1}");
	snprintf(path, sizeof(path), "%s/services.d/b.json", f->path);
	assert_int_equal(chmod(path, 0666), 0);
	assert_int_equal(read_set(f, &err, &set), -EPERM);
}

static void an_error_names_file_and_line(void **state)
{
	km_autofree(km_set_clear) struct km_set set = { 0 };
	struct folder *f = *state;
	struct km_error err;

	put(f, "services.d/b.json", "{\"version\":1,\n\"services\":[{\"unit\":\"a.service\"}]}");
	assert_int_equal(read_set(f, &err, &set), -EBADMSG);
	assert_non_null(strstr(err.file, "services.d/b.json"));
	assert_int_equal(err.line, 2);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(services_beside_the_configuration_are_of_the_set,
		                                make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_link_among_them_is_refused_not_overlooked,
		                                make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(a_file_that_others_may_write_is_refused,
		                                make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(an_error_names_file_and_line, make_folder,
		                                remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
