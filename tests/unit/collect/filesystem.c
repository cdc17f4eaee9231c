// SPDX-License-Identifier: Apache-2.0
/* Which of the mounts are followed. */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <stdio.h>

#include "collect/filesystem.h"

static struct km_filesystem found[KM_FILESYSTEMS_MAX];

static size_t parse(const char *text)
{
	char copy[65536];

	km_copy(copy, sizeof(copy), text);
	memset(found, 0, sizeof(found));
	return km_filesystems_parse(copy, found, KM_FILESYSTEMS_MAX);
}

static void local_ones_are_followed_and_remote_or_pseudo_ones_are_not(void **state)
{
	(void)state;
	assert_int_equal(parse("27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard\n"
	                       "22 27 0:21 / /proc rw - proc proc rw\n"
	                       "30 27 0:40 / /home rw - nfs4 server:/home rw,vers=4.2\n"
	                       "31 27 0:41 / /mnt rw - fuse.sshfs host:/ rw\n"
	                       "32 27 7:1 / /snap ro - squashfs /dev/loop1 ro\n"
	                       "33 27 0:42 / /run rw shared:5 - tmpfs tmpfs rw,size=1k\n"),
	                 2);
	assert_string_equal(found[0].mount, "/");
	assert_string_equal(found[0].device, "vda");
	assert_int_equal(found[0].major, 254);
	assert_string_equal(found[1].mount, "/run");
	assert_string_equal(found[1].device, "");
}

static void a_device_is_followed_once(void **state)
{
	(void)state;
	assert_int_equal(parse("27 1 254:0 / / rw - ext4 /dev/vda rw\n"
	                       "28 1 254:0 /var /srv rw - ext4 /dev/vda rw\n"),
	                 1);
}

static void read_only_is_the_superblocks_not_the_mounts(void **state)
{
	(void)state;
	assert_int_equal(parse("27 1 8:1 / /a ro,relatime - ext4 /dev/sda1 rw,errors=remount-ro\n"
	                       "28 1 8:2 / /b rw,relatime - ext4 /dev/sda2 ro,x=y\n"
	                       "29 1 8:3 / /c rw,relatime - ext4 /dev/sda3 root\n"),
	                 3);
	assert_false(found[0].readonly);
	assert_true(found[1].readonly);
	assert_false(found[2].readonly);
}

static void blanks_in_names_are_restored(void **state)
{
	(void)state;
	assert_int_equal(parse("27 1 8:1 / /a\\040b rw - xfs /dev/sda1 rw\n"), 1);
	assert_string_equal(found[0].mount, "/a b");
}

static void damaged_lines_and_too_many_are_left_out(void **state)
{
	char text[65536] = "nonsense\n1 2 x:y / / rw - ext4 a rw\n1 2 3:4 / - ext4\n";
	size_t n = strlen(text);

	(void)state;
	assert_int_equal(parse(text), 0);
	for (int i = 0; i < KM_FILESYSTEMS_MAX + 9; i++)
		n += (size_t)snprintf(text + n, sizeof(text) - n,
		                      "27 1 8:%d / /m%d rw - ext4 /dev/sd rw\n", i, i);
	assert_int_equal(parse(text), KM_FILESYSTEMS_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(local_ones_are_followed_and_remote_or_pseudo_ones_are_not),
		cmocka_unit_test(a_device_is_followed_once),
		cmocka_unit_test(read_only_is_the_superblocks_not_the_mounts),
		cmocka_unit_test(blanks_in_names_are_restored),
		cmocka_unit_test(damaged_lines_and_too_many_are_left_out),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
