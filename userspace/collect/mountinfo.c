// SPDX-License-Identifier: Apache-2.0
/* Which filesystems there are, from mountinfo. */
#include "collect/cgroup.h"
#include "collect/filesystem.h"

struct line {
	uint32_t major, minor;
	const char *root;
	const char *mount;
	const char *type;
	const char *source;
	const char *options; /* of the superblock */
};

/* Types with room of their own that is on this host. A look at a remote one may block for ever,
 * the rest either has no room or is never written. */
static bool is_local(const char *type)
{
	static const char *const local[] = { "ext2",  "ext3", "ext4",   "xfs",      "btrfs",
		                             "f2fs",  "vfat", "zfs",    "tmpfs",    "exfat",
		                             "ntfs3", "jfs",  "nilfs2", "bcachefs", "reiserfs" };

	for (size_t i = 0; i < KM_ARRAY_SIZE(local); i++)
		if (strcmp(type, local[i]) == 0)
			return true;
	return false;
}

/* "98:0" */
static bool device_number(const char *text, struct line *ret)
{
	char *end;

	ret->major = (uint32_t)strtoul(text, &end, 10);
	if (end == text || *end != ':')
		return false;
	text = end + 1;
	ret->minor = (uint32_t)strtoul(text, &end, 10);
	return end != text && !*end;
}

/* "36 35 98:0 /root /mount/point rw,noatime shared:1 - type source super,options" */
static bool split(char *text, struct line *ret)
{
	char *tail = strstr(text, " - "), *save = NULL, *field[5] = { 0 };

	if (!tail)
		return false;
	*tail = '\0';
	for (size_t i = 0; i < KM_ARRAY_SIZE(field); i++)
		field[i] = strtok_r(i ? NULL : text, " ", &save);
	ret->type = strtok_r(tail + 3, " ", &save);
	ret->source = strtok_r(NULL, " ", &save);
	ret->options = strtok_r(NULL, " ", &save);
	if (!field[4] || !ret->options || !device_number(field[2], ret))
		return false;
	km_mountinfo_unescape(field[3]);
	km_mountinfo_unescape(field[4]);
	ret->root = field[3];
	ret->mount = field[4];
	return is_local(ret->type);
}

static struct km_filesystem *same(struct km_filesystem *f, size_t n, const struct line *l)
{
	for (size_t i = 0; i < n; i++)
		if (f[i].major == l->major && f[i].minor == l->minor)
			return &f[i];
	return NULL;
}

static void fill(const struct line *l, struct km_filesystem *ret)
{
	const char *slash = strrchr(l->source, '/');

	memset(ret, 0, sizeof(*ret));
	km_copy(ret->mount, sizeof(ret->mount), l->mount);
	if (l->source[0] == '/')
		km_copy(ret->device, sizeof(ret->device), slash + 1);
	ret->major = l->major;
	ret->minor = l->minor;
	ret->readonly =
		strncmp(l->options, "ro", 2) == 0 && (!l->options[2] || l->options[2] == ',');
}

size_t km_filesystems_parse(char *text, struct km_filesystem *ret, size_t max)
{
	char *save = NULL;
	size_t n = 0;

	for (char *at = strtok_r(text, "\n", &save); at; at = strtok_r(NULL, "\n", &save)) {
		struct line l;

		if (!split(at, &l) || strlen(l.mount) >= KM_MOUNT_MAX || same(ret, n, &l))
			continue;
		/* A bind mount of a part stands for all of it: room is the device's. */
		if (n < max)
			fill(&l, &ret[n++]);
	}
	return n;
}
