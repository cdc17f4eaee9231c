/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/setup.h"

#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "base/fs.h"
#include "base/log.h"
#include "daemon/privilege.h"
#include "daemon/signing.h"
#include "loop/loop.h"

/* Where no account exists (a first try without install): numbers that Debian gives to nobody. */
#define ENGINE_UID 64998
#define FRONT_UID  64999
#define PROBER_UID 64997

struct adding {
	struct km_texts *texts;
	int dir_fd;
	struct km_signing *signing; /* NULL: signatures mean nothing */
	struct km_error *err;
};

static void adding_done(struct adding *a)
{
	km_signing_free(a->signing);
	km_close(&a->dir_fd);
}

static int add_rule(void *userdata, const char *file, const char *text, size_t len)
{
	const struct adding *a = userdata;
	const struct km_span span = { text, len };
	int r = km_signing_check(a->signing, a->dir_fd, file, &span, a->err);

	return r < 0 ? r : km_texts_put(a->texts, KM_TEXT_RULE, file, text, len);
}

static int add_file(struct km_texts *t, enum km_text_kind kind, int dir_fd, const char *path,
                    struct km_error *err)
{
	km_autofree(km_buf_freep) struct km_buf *text = NULL;
	int r = km_fs_read_trusted(dir_fd, path, KM_CONFIG_BYTES_MAX, err, &text);

	return r < 0 ? r : km_texts_put(t, kind, path, km_buf_text(text), text->len);
}

static int add_rules(struct km_texts *t, const char *dir, struct km_error *err)
{
	km_autofree(adding_done) struct adding a = { .texts = t, .dir_fd = -1, .err = err };
	int fd = km_fs_open_trusted(dir, err), r;

	if (fd < 0)
		return fd;
	a.dir_fd = fd;
	r = km_signing_new(fd, err, &a.signing);
	if (r == 0)
		r = add_file(t, KM_TEXT_POLICY, fd, "policy/guardrails.json", err);
	if (r == -ENOENT) {
		*err = (struct km_error){ 0 };
		r = 0; /* no policy: nothing but notify is allowed */
	}
	if (r == 0)
		r = add_file(t, KM_TEXT_MODES, fd, KM_MODES_FILE, err);
	if (r == -ENOENT) {
		*err = (struct km_error){ 0 };
		r = 0; /* each rule has the mode that it was written with */
	}
	return r < 0 ? r : km_rule_walk(fd, add_rule, &a, err);
}

/* The files of services.d beside the configuration file, in the order of their names. */
static int add_services(struct km_texts *t, const char *config, struct km_error *err)
{
	const char *slash = strrchr(config, '/');
	km_autofree(km_fs_free_namesp) char **names = NULL;
	km_autoclose int fd = -1;
	char dir[KM_PATH_MAX], path[KM_PATH_MAX + NAME_MAX + 2];
	int r;

	snprintf(dir, sizeof(dir), "%.*sservices.d", slash ? (int)(slash + 1 - config) : 0, config);
	fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd < 0 && errno == ENOENT)
		return 0;
	r = fd < 0 ? -errno : km_fs_list_any(fd, ".json", KM_SERVICE_FILES_MAX, &names);
	if (r < 0) {
		km_copy(err->file, sizeof(err->file), dir);
		snprintf(err->what, sizeof(err->what), "cannot list the services: %s",
		         strerror(-r));
		return r;
	}
	for (char **n = names; n && *n && r == 0; n++) {
		snprintf(path, sizeof(path), "%s/%s", dir, *n);
		r = add_file(t, KM_TEXT_SERVICES, AT_FDCWD, path, err);
	}
	return r;
}

int km_setup_read_texts(const struct km_daemon_opts *opts, struct km_texts *ret,
                        struct km_error *err)
{
	km_autofree(km_texts_clear) struct km_texts t = { 0 };
	int r = 0;

	*err = (struct km_error){ 0 };
	if (opts->config)
		r = add_file(&t, KM_TEXT_CONFIG, AT_FDCWD, opts->config, err);
	if (r == 0 && opts->config)
		r = add_services(&t, opts->config, err);
	if (r == 0 && opts->rules)
		r = add_rules(&t, opts->rules, err);
	if (r < 0) {
		if (!err->what[0])
			snprintf(err->what, sizeof(err->what), "%s", strerror(-r));
		if (!err->file[0])
			km_copy(err->file, sizeof(err->file),
			        opts->config ? opts->config : opts->rules);
		return r;
	}
	*ret = t;
	t = (struct km_texts){ 0 };
	return 0;
}

static int read_set(struct km_daemon *d)
{
	struct km_error err;
	char line[2048];
	int r = km_setup_read_texts(&d->opts, &d->texts, &err);

	if (r == 0)
		r = km_texts_compile(&d->texts, &err, &d->set);
	if (r < 0)
		km_log(KM_ERR, "%s", km_error_format(&err, line, sizeof(line)));
	return r;
}

/* One instance a run directory. */
static int lock_run(struct km_daemon *d)
{
	km_autoclose int dir = -1, fd = -1;
	int r = km_fs_make_dir(d->opts.run, 0755, &dir);

	snprintf(d->pause_file, sizeof(d->pause_file), "%s/pause", d->opts.run);
	if (r < 0) {
		km_log(KM_ERR, "cannot make the run directory %s: %s; give another with --run",
		       d->opts.run, strerror(-r));
		return r;
	}
	fd = openat(dir, "kmendd.lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0644);
	if (fd < 0 || flock(fd, LOCK_EX | LOCK_NB) < 0) {
		r = -errno;
		km_log(KM_ERR,
		       r == -EWOULDBLOCK ? "another kmendd runs in %s; stop it or give another "
		                           "directory with --run"
		                         : "cannot lock the run directory %s: %m",
		       d->opts.run);
		return r;
	}
	d->lock_fd = km_take_fd(&fd);
	return 0;
}

static void observe_only(struct km_daemon *d, const char *why, int r)
{
	d->observe_only = true;
	snprintf(d->reason, sizeof(d->reason), "%s: %s", why, strerror(-r));
	km_log(KM_ERR, "observe only, nothing is acted on: %s", d->reason);
}

/* Room that must be there at the start: two segments of the journal, a young history. */
#define ROOM_BYTES (2 * 1024 * 1024)

/* A directory that can be written to now, or a negative errno. */
static int make_writable(const char *parent, const char *name, const struct km_user *owner,
                         bool root)
{
	char path[KM_PATH_MAX + 16];
	km_autoclose int dir = -1, probe = -1;
	int r;

	snprintf(path, sizeof(path), "%s/%s", parent, name);
	r = km_fs_make_dir(path, 0700, &dir);
	if (r < 0)
		return r;
	if (root && fchown(dir, owner->uid, owner->gid) < 0)
		return -errno;
	probe = openat(dir, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	if (probe < 0 && errno != EOPNOTSUPP)
		return -errno;
	if (probe >= 0 && (r = posix_fallocate(probe, 0, ROOM_BYTES)) != 0)
		return -r;
	return km_take_fd(&dir);
}

static void make_state(struct km_daemon *d)
{
	static const struct km_user root_user = { "root", 0, 0 };
	km_autoclose int dir = -1;
	int r = km_fs_make_dir(d->opts.state, 0755, &dir);

	snprintf(d->engine_dir, sizeof(d->engine_dir), "%s/engine", d->opts.state);
	if (r < 0) {
		observe_only(d, "the state directory cannot be made", r);
		return;
	}
	d->engine_fd = make_writable(d->opts.state, "engine", &d->engine, d->root);
	if (d->engine_fd < 0)
		observe_only(d, "the history cannot be written", d->engine_fd);
	d->journal_fd = make_writable(d->opts.state, "journal", &root_user, d->root);
	if (d->journal_fd < 0)
		observe_only(d, "the action journal cannot be written", d->journal_fd);
}

int km_setup_pause(struct km_texts *t)
{
	static const char pause[] = "{\"version\":1,\"pause\":true}";
	char *text;

	for (size_t i = 0; i < t->count; i++) {
		if (t->text[i].kind != KM_TEXT_POLICY)
			continue;
		text = strdup(pause);
		if (!text)
			return -ENOMEM;
		free(t->text[i].bytes);
		t->text[i].bytes = text;
		t->text[i].len = t->text[i].total = sizeof(pause) - 1;
		return 0;
	}
	return km_texts_put(t, KM_TEXT_POLICY, "(observe only)", pause, sizeof(pause) - 1);
}

static int listen_control(struct km_daemon *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	km_autoclose int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	if (snprintf(a.sun_path, sizeof(a.sun_path), "%s/control.sock", d->opts.run) >=
	    (int)sizeof(a.sun_path))
		return -ENAMETOOLONG;
	if (unlink(a.sun_path) < 0 && errno != ENOENT)
		return -errno;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	/* Everybody may ask; the engine refuses by SO_PEERCRED, so that a refusal is recorded. */
	if (chmod(a.sun_path, 0666) < 0 || listen(fd, 64) < 0)
		return -errno;
	d->listen_fd = km_take_fd(&fd);
	return 0;
}

/* Whoever sends there is told by the kernel, not by what is sent. */
static int listen_notify(struct km_daemon *d)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	km_autoclose int fd = -1;
	int on = 1;

	if (!km_config_has_check(d->set.config, KM_CHECK_WATCHDOG))
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	snprintf(d->notify_path, sizeof(d->notify_path), "%s/notify", d->opts.run);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) < 0)
		return -errno;
	if (!km_copy(a.sun_path, sizeof(a.sun_path), d->notify_path))
		return -ENAMETOOLONG;
	if (unlink(a.sun_path) < 0 && errno != ENOENT)
		return -errno;
	if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 || chmod(a.sun_path, 0666) < 0)
		return -errno;
	d->notify_fd = km_take_fd(&fd);
	return 0;
}

static void setup_probes(struct km_daemon *d)
{
	int r = km_setup_probe_cgroup(d);

	if (r < 0)
		km_log(KM_WARNING, "exec health checks do not run: no cgroups of their own: %s",
		       strerror(-r));
	r = listen_notify(d);
	if (r < 0) {
		d->notify_path[0] = '\0';
		km_log(KM_WARNING, "watchdogs are not heard: %s", strerror(-r));
	}
}

static void find_users(struct km_daemon *d)
{
	const struct group *gr = getgrnam(d->set.config->settings.socket_group);

	d->readers_gid = gr ? gr->gr_gid : UINT32_MAX;
	km_privilege_user("kmend", ENGINE_UID, &d->engine);
	km_privilege_user("kmend-front", FRONT_UID, &d->front);
	km_privilege_user("kmend-probe", PROBER_UID, &d->prober);
}

int km_setup_begin(const struct km_daemon_opts *opts, struct km_daemon *d)
{
	int r;

	*d = (struct km_daemon){ .opts = *opts,
		                 .lock_fd = -1,
		                 .listen_fd = -1,
		                 .notify_fd = -1,
		                 .journal_fd = -1,
		                 .engine_fd = -1,
		                 .root = geteuid() == 0,
		                 .started_ns = km_now_ns() };
	if (read_set(d) < 0 || lock_run(d) < 0)
		return 1;
	find_users(d);
	if (!d->root)
		observe_only(d, "not root: /proc, PSI and pidfd only; start as root for the rest",
		             -EPERM);
	make_state(d);
	r = km_setup_cgroups(d);
	if (r < 0)
		observe_only(d, "supervised commands cannot have cgroups of their own", r);
	setup_probes(d);
	km_setup_pins(d);
	r = listen_control(d);
	if (r < 0) {
		km_log(KM_ERR, "cannot listen on %s/control.sock: %s", d->opts.run, strerror(-r));
		km_setup_end(d);
		return 1;
	}
	return 0;
}

static void unlink_in_run(const struct km_daemon *d, const char *name)
{
	char path[KM_PATH_MAX + 32];

	snprintf(path, sizeof(path), "%s/%s", d->opts.run, name);
	unlink(path);
}

void km_setup_end(struct km_daemon *d)
{
	km_setup_pins_end(d);
	km_setup_cgroups_end(d);
	if (d->listen_fd >= 0)
		unlink_in_run(d, "control.sock");
	if (d->notify_fd >= 0)
		unlink_in_run(d, "notify");
	if (d->lock_fd >= 0)
		unlink_in_run(d, "kmendd.lock");
	km_close(&d->listen_fd);
	km_close(&d->notify_fd);
	km_close(&d->engine_fd);
	km_close(&d->journal_fd);
	km_close(&d->lock_fd);
	km_texts_clear(&d->texts);
	km_set_clear(&d->set);
}
