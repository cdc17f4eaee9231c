// SPDX-License-Identifier: Apache-2.0
/* Where cgroup hierarchies are mounted, from mountinfo. */
#include <fcntl.h>
#include <stdio.h>

#include "collect/cgroup.h"

#define MOUNTINFO_MAX (1024 * 1024) /* 10,000 mounts of 100 bytes */

void km_mountinfo_unescape(char *s)
{
	char *to = s;

	while (*s) {
		if (s[0] == '\\' && s[1] >= '0' && s[1] <= '3' && s[2] >= '0' && s[2] <= '7' &&
		    s[3] >= '0' && s[3] <= '7') {
			*to++ = (char)((s[1] - '0') * 64 + (s[2] - '0') * 8 + (s[3] - '0'));
			s += 4;
		} else {
			*to++ = *s++;
		}
	}
	*to = '\0';
}

/* Is WORD one of the comma-separated ones of LIST? */
static bool in_list(const char *list, const char *word)
{
	size_t n = strlen(word);

	for (const char *p = list; (p = strstr(p, word)); p += n)
		if ((p == list || p[-1] == ',') && (!p[n] || p[n] == ','))
			return true;
	return false;
}

/* The first one wins: later ones are bind mounts and other people's namespaces. */
static void take(char *to, const char *mount_point)
{
	if (!to[0])
		km_copy(to, KM_PATH_MAX, mount_point);
}

/* "36 35 98:0 /root /mount/point rw,noatime shared:1 - type source super,options" */
static void parse_line(char *line, struct km_cgroup_mounts *ret)
{
	char *tail = strstr(line, " - "), *save = NULL, *field[5] = { 0 }, *type, *options;

	if (!tail)
		return;
	*tail = '\0';
	for (size_t i = 0; i < KM_ARRAY_SIZE(field); i++)
		field[i] = strtok_r(i ? NULL : line, " ", &save);
	type = strtok_r(tail + 3, " ", &save);
	strtok_r(NULL, " ", &save);
	options = strtok_r(NULL, " ", &save);
	if (!field[4] || !type)
		return;
	km_mountinfo_unescape(field[4]);
	if (strcmp(type, "cgroup2") == 0)
		take(ret->unified, field[4]);
	if (strcmp(type, "cgroup") != 0 || !options)
		return;
	if (in_list(options, "memory"))
		take(ret->memory, field[4]);
	if (in_list(options, "pids"))
		take(ret->pids, field[4]);
	if (in_list(options, "cpu"))
		take(ret->cpu, field[4]);
}

void km_cgroup_mounts_parse(char *text, struct km_cgroup_mounts *ret)
{
	char *save = NULL;

	memset(ret, 0, sizeof(*ret));
	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		parse_line(line, ret);
}

int km_mountinfo_read(int fd, char **ret)
{
	km_autofree_char char *text = NULL;
	size_t len = 0, size = 0;
	ssize_t n;

	do {
		if (len + 1 >= size) {
			char *more = realloc(text, size = size ? 2 * size : 16384);

			if (!more)
				return -ENOMEM;
			text = more;
		}
		n = pread(fd, text + len, size - len - 1, (off_t)len);
		if (n < 0)
			return -errno;
		len += (size_t)n;
	} while (n > 0 && len < MOUNTINFO_MAX);
	text[len] = '\0';
	*ret = km_take(text);
	return 0;
}

int km_cgroup_mounts_read(struct km_cgroup_mounts *ret)
{
	km_autoclose int fd = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	km_autofree_char char *text = NULL;
	int r = fd < 0 ? -errno : km_mountinfo_read(fd, &text);

	if (r == 0)
		km_cgroup_mounts_parse(text, ret);
	return r;
}
