/* SPDX-License-Identifier: Apache-2.0 */
/* The cgroup directories below which supervised commands live: services/ in the daemon's own
 * cgroup, in cgroup v2 and, on hybrid hosts, in the v1 memory and pids hierarchies as well.
 *
 * Where v2 has the controllers, a cgroup with processes of its own may not hand them down
 * ("no internal processes", Documentation/admin-guide/cgroup-v2.rst): the daemon first moves
 * itself into daemon/. */
#include <fcntl.h>
#include <mntent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/fs.h"
#include "base/log.h"
#include "daemon/setup.h"

/* Mount point of cgroup v2 (CONTROLLER NULL) or of a v1 controller, empty if there is none. */
static void find_mount(const char *controller, char *ret, size_t size)
{
	FILE *f = setmntent("/proc/self/mounts", "re");
	struct mntent m;
	char line[4096];

	ret[0] = '\0';
	while (f && !ret[0] && getmntent_r(f, &m, line, sizeof(line))) {
		bool v2 = strcmp(m.mnt_type, "cgroup2") == 0;
		bool v1 = strcmp(m.mnt_type, "cgroup") == 0;

		if (controller ? v1 && hasmntopt(&m, controller) : v2)
			km_copy(ret, size, m.mnt_dir);
	}
	if (f)
		endmntent(f);
}

/* Own path in the hierarchy whose line of /proc/self/cgroup lists CONTROLLER ("" for v2). */
static int own_path(const char *controller, char *ret, size_t size)
{
	char text[4096];
	char *line, *rest = text;
	ssize_t n = km_fs_read_small(AT_FDCWD, "/proc/self/cgroup", text, sizeof(text));

	if (n < 0)
		return (int)n;
	while ((line = strsep(&rest, "\n"))) {
		char *names = strchr(line, ':');
		char *path = names ? strchr(names + 1, ':') : NULL;
		char *name;

		if (!path)
			continue;
		names++;
		*path++ = '\0';
		while ((name = strsep(&names, ",")))
			if (strcmp(name, controller) == 0)
				return km_copy(ret, size, path) ? 0 : -ENAMETOOLONG;
	}
	return -ENOENT;
}

/* Path of NAME beside the daemon's own processes. */
static int path_beside(const char *mount, const char *controller, const char *name, char *ret,
                       size_t size)
{
	char own[KM_PATH_MAX];
	int r = own_path(controller, own, sizeof(own));

	if (r < 0)
		return r;
	/* A restart inside daemon/ finds the directory beside it. */
	if (strlen(own) >= 7 && strcmp(own + strlen(own) - 7, "/daemon") == 0)
		own[strlen(own) - 7] = '\0';
	if (snprintf(ret, size, "%s%s/%s", mount, strcmp(own, "/") == 0 ? "" : own, name) >=
	    (int)size)
		return -ENAMETOOLONG;
	return mkdir(ret, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

static int make_root(const char *mount, const char *controller, char *ret, size_t size)
{
	return path_beside(mount, controller, "kmend", ret, size);
}

static int write_file(const char *dir, const char *name, const char *text)
{
	char path[KM_PATH_MAX + 64];
	km_autoclose int fd = -1;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_WRONLY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0)
		return -errno;
	return write(fd, text, strlen(text)) < 0 ? -errno : 0;
}

static int hand_down(const char *own, const char *root, const char *controllers)
{
	int r = write_file(own, "cgroup.subtree_control", controllers);

	return r == 0 ? write_file(root, "cgroup.subtree_control", controllers) : r;
}

/* Controllers for the services, if v2 has them; the daemon steps aside into daemon/. */
static int delegate(const char *root)
{
	char own[KM_PATH_MAX], aside[KM_PATH_MAX + 32], offered[256];
	char *slash;
	int r;

	km_copy(own, sizeof(own), root);
	slash = strrchr(own, '/');
	*slash = '\0';
	snprintf(aside, sizeof(aside), "%s/cgroup.controllers", own);
	if (km_fs_read_small(AT_FDCWD, aside, offered, sizeof(offered)) < 0 ||
	    !strstr(offered, "memory") || !strstr(offered, "pids"))
		return 0;
	snprintf(aside, sizeof(aside), "%s/daemon", own);
	if (mkdir(aside, 0755) < 0 && errno != EEXIST)
		return -errno;
	r = write_file(aside, "cgroup.procs", "0");
	if (r == 0)
		r = hand_down(own, root, "+memory +pids");
	/* Only throttling needs them. A realtime process anywhere keeps cpu from being handed down;
	 * not every kernel has io. */
	if (r == 0) {
		hand_down(own, root, "+cpu");
		hand_down(own, root, "+io");
	}
	return r;
}

static bool has_commands(const struct km_config *c)
{
	for (size_t i = 0; i < c->service_count; i++)
		if (c->services[i].kind == KM_BY_COMMAND)
			return true;
	return false;
}

/* The v1 hierarchy of one controller, where the host has it mounted. */
static int v1_root(const char *controller, char *ret, size_t size)
{
	char mount[KM_PATH_MAX];

	find_mount(controller, mount, sizeof(mount));
	return mount[0] ? make_root(mount, controller, ret, size) : 0;
}

int km_setup_cgroups(struct km_daemon *d)
{
	char mount[KM_PATH_MAX];
	int r;

	if (!d->root || !has_commands(d->set.config))
		return 0;
	find_mount(NULL, mount, sizeof(mount));
	if (!mount[0])
		return -ENOENT;
	r = make_root(mount, "", d->cgroup_root, sizeof(d->cgroup_root));
	if (r == 0)
		r = delegate(d->cgroup_root);
	if (r == 0)
		r = v1_root("memory", d->memory_root, sizeof(d->memory_root));
	if (r == 0)
		r = v1_root("pids", d->pids_root, sizeof(d->pids_root));
	if (r == 0)
		r = v1_root("cpu", d->cpu_root, sizeof(d->cpu_root));
	return r;
}

/* Who owns a directory and both of its lists of members may move processes within it: the prober
 * and what it starts, nobody else's. */
static int hand_over(const char *dir, const struct km_user *to)
{
	static const char *const files[] = { "", "/cgroup.procs", "/cgroup.threads" };
	char path[KM_PATH_MAX + 64];

	for (size_t i = 0; i < KM_ARRAY_SIZE(files); i++) {
		snprintf(path, sizeof(path), "%s%s", dir, files[i]);
		if (chown(path, to->uid, to->gid) < 0)
			return -errno;
	}
	return 0;
}

int km_setup_probe_cgroup(struct km_daemon *d)
{
	char mount[KM_PATH_MAX], own[KM_PATH_MAX + 16];
	int r;

	if (!d->root || !km_config_has_check(d->set.config, KM_CHECK_EXEC))
		return 0;
	find_mount(NULL, mount, sizeof(mount));
	r = mount[0] ? path_beside(mount, "", "kmend-probe", d->probe_root, sizeof(d->probe_root))
	             : -ENOENT;
	snprintf(own, sizeof(own), "%s/main", d->probe_root);
	if (r == 0 && mkdir(own, 0755) < 0 && errno != EEXIST)
		r = -errno;
	if (r == 0)
		r = hand_over(d->probe_root, &d->prober);
	if (r == 0)
		r = hand_over(own, &d->prober);
	if (r < 0)
		d->probe_root[0] = '\0';
	return r;
}

int km_setup_probe_join(const struct km_daemon *d)
{
	char own[KM_PATH_MAX + 16];

	if (!d->probe_root[0])
		return -1;
	snprintf(own, sizeof(own), "%s/main", d->probe_root);
	if (write_file(own, "cgroup.procs", "0") < 0)
		return -1;
	return open(d->probe_root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

/* The prober is gone, and what it started with it. */
static void remove_probe_cgroup(const struct km_daemon *d)
{
	char path[KM_PATH_MAX + 32];

	if (!d->probe_root[0])
		return;
	for (size_t i = 0; i < KM_CHECKS_MAX; i++) {
		snprintf(path, sizeof(path), "%s/%zu", d->probe_root, i);
		rmdir(path);
	}
	snprintf(path, sizeof(path), "%s/main", d->probe_root);
	rmdir(path);
	rmdir(d->probe_root);
}

static void remove_empty(const struct km_config *c, const char *root)
{
	char path[KM_PATH_MAX + KM_NAME_MAX];

	if (!root[0])
		return;
	for (size_t i = 0; i < c->service_count; i++) {
		snprintf(path, sizeof(path), "%s/%s", root, c->services[i].name);
		rmdir(path); /* one that still has processes stays: the service lives on */
	}
	rmdir(root);
}

void km_setup_cgroups_end(struct km_daemon *d)
{
	remove_empty(d->set.config, d->cgroup_root);
	remove_empty(d->set.config, d->memory_root);
	remove_empty(d->set.config, d->pids_root);
	remove_empty(d->set.config, d->cpu_root);
	remove_probe_cgroup(d);
}
