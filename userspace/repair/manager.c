// SPDX-License-Identifier: Apache-2.0
#include <sys/epoll.h>

#include "repair/manager.h"

#define MANAGER   "org.freedesktop.systemd1"
#define PATH      "/org/freedesktop/systemd1"
#define INTERFACE MANAGER ".Manager"

/* sd-bus's own time-out, in microseconds: behind every deadline of those who ask. */
#define CALL_TIMEOUT_US (600 * 1000000ULL)

struct km_manager {
	struct km_loop *loop;
	sd_bus *bus;
	struct km_talk *talks;
};

static void unlist(struct km_manager *m, struct km_talk *t)
{
	struct km_talk **at = &m->talks;

	while (*at && *at != t)
		at = &(*at)->next;
	if (*at)
		*at = t->next;
	t->listed = false;
}

void km_talk_end(struct km_manager *m, struct km_talk *t)
{
	t->slot = sd_bus_slot_unref(t->slot);
	if (t->listed)
		unlist(m, t);
}

static void disconnect(struct km_manager *m)
{
	if (!m->bus)
		return;
	km_loop_remove(m->loop, sd_bus_get_fd(m->bus));
	for (struct km_talk *t = m->talks; t; t = t->next)
		t->slot = sd_bus_slot_unref(t->slot);
	m->bus = sd_bus_close_unref(m->bus);
}

/* Replies that were waited for have come as errors. */
void km_manager_break(struct km_manager *m)
{
	struct km_talk *next;

	disconnect(m);
	for (struct km_talk *t = m->talks; t; t = next) {
		next = t->next;
		t->on->broken(t->userdata);
	}
}

static void pump(struct km_manager *m)
{
	int r = 1;

	while (r > 0)
		r = sd_bus_process(m->bus, NULL);
	if (r == 0)
		r = sd_bus_get_events(m->bus);
	if (r < 0)
		km_manager_break(m);
	else
		km_loop_change(m->loop, sd_bus_get_fd(m->bus), (uint32_t)r);
}

static int on_bus(void *userdata, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	pump(userdata);
	return 0;
}

static int on_job_removed(sd_bus_message *msg, void *userdata, sd_bus_error *err)
{
	const struct km_manager *m = userdata;
	const char *job, *unit, *result;
	struct km_talk *next;
	uint32_t id;

	(void)err;
	if (sd_bus_message_read(msg, "uoss", &id, &job, &unit, &result) < 0)
		return 0;
	for (struct km_talk *t = m->talks; t; t = next) {
		next = t->next;
		if (t->job[0] && strcmp(t->job, job) == 0)
			t->on->over(t->userdata, result);
	}
	return 0;
}

static int connect_bus(struct km_manager *m)
{
	int r;

	if (m->bus)
		return 0;
	r = sd_bus_open_system(&m->bus);
	if (r < 0)
		return r;
	r = km_loop_add(m->loop, sd_bus_get_fd(m->bus), EPOLLIN, on_bus, m);
	if (r >= 0)
		r = sd_bus_set_method_call_timeout(m->bus, CALL_TIMEOUT_US);
	if (r >= 0)
		r = sd_bus_match_signal_async(m->bus, NULL, MANAGER, PATH, INTERFACE, "JobRemoved",
		                              on_job_removed, NULL, m);
	if (r >= 0)
		r = sd_bus_call_method_async(m->bus, NULL, MANAGER, PATH, INTERFACE, "Subscribe",
		                             NULL, NULL, NULL);
	if (r < 0)
		disconnect(m);
	return r;
}

/* Before a question. */
static int begin(struct km_manager *m, struct km_talk *t)
{
	int r = connect_bus(m);

	t->slot = sd_bus_slot_unref(t->slot);
	t->job[0] = '\0';
	if (r < 0 || t->listed)
		return r;
	t->next = m->talks;
	m->talks = t;
	t->listed = true;
	return 0;
}

static int on_invocation(sd_bus_message *msg, void *userdata, sd_bus_error *err)
{
	struct km_talk *t = userdata;
	uint8_t found[16] = { 0 };
	const void *id = NULL;
	size_t len = 0;
	int r = -sd_bus_message_get_errno(msg);

	(void)err;
	if (r == 0)
		r = sd_bus_message_enter_container(msg, 'v', "ay");
	if (r >= 0)
		r = sd_bus_message_read_array(msg, 'y', &id, &len);
	if (r >= 0 && len == sizeof(found))
		memcpy(found, id, len);
	t->on->invocation(t->userdata, r < 0 ? r : 0, found);
	return 0;
}

int km_talk_invocation(struct km_manager *m, struct km_talk *t)
{
	km_autofree_char char *path = NULL;
	int r = begin(m, t);

	if (r >= 0)
		r = sd_bus_path_encode(PATH "/unit", t->unit, &path);
	if (r >= 0)
		r = sd_bus_call_method_async(m->bus, &t->slot, MANAGER, path,
		                             "org.freedesktop.DBus.Properties", "Get",
		                             on_invocation, t, "ss", MANAGER ".Unit",
		                             "InvocationID");
	return r < 0 ? r : 0;
}

static int on_called(sd_bus_message *msg, void *userdata, sd_bus_error *err)
{
	struct km_talk *t = userdata;
	const sd_bus_error *e = sd_bus_message_get_error(msg);
	const char *job;

	(void)err;
	/* NoReply is sd-bus's own for a connection that broke: it may have been done. */
	if (e && sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY))
		t->on->called(t->userdata, -ENOTCONN, e->message);
	else if (e)
		t->on->called(t->userdata, -sd_bus_error_get_errno(e), e->message);
	else if (sd_bus_message_read(msg, "o", &job) < 0 || !km_copy(t->job, sizeof(t->job), job))
		t->on->called(t->userdata, -EBADMSG, "an answer that makes no sense");
	else
		t->on->called(t->userdata, 0, NULL);
	return 0;
}

int km_talk_call(struct km_manager *m, struct km_talk *t, const char *method)
{
	int r = begin(m, t);

	if (r >= 0)
		r = sd_bus_call_method_async(m->bus, &t->slot, MANAGER, PATH, INTERFACE, method,
		                             on_called, t, "ss", t->unit, "replace");
	return r < 0 ? r : 0;
}

/* What has become of an act that was interrupted: a pending job is under way, and a unit without
 * one is as it will stay. */
static int on_listed(sd_bus_message *msg, void *userdata, sd_bus_error *err)
{
	struct km_talk *t = userdata;
	const char *name, *about, *load, *active, *sub, *follows, *path, *type, *job = "";
	int r = -sd_bus_message_get_errno(msg);
	bool stopped = false;
	uint32_t id = 0;

	(void)err;
	if (r == 0)
		r = sd_bus_message_enter_container(msg, 'a', "(ssssssouso)");
	if (r >= 0)
		r = sd_bus_message_read(msg, "(ssssssouso)", &name, &about, &load, &active, &sub,
		                        &follows, &path, &id, &type, &job);
	if (r == 0 || (r > 0 && !km_copy(t->job, sizeof(t->job), job)))
		r = -EBADMSG;
	if (r > 0)
		stopped = strcmp(active, "inactive") == 0 || strcmp(active, "failed") == 0;
	t->on->found(t->userdata, r < 0 ? r : 0, id != 0, stopped);
	return 0;
}

int km_talk_list(struct km_manager *m, struct km_talk *t)
{
	int r = begin(m, t);

	if (r >= 0)
		r = sd_bus_call_method_async(m->bus, &t->slot, MANAGER, PATH, INTERFACE,
		                             "ListUnitsByNames", on_listed, t, "as", 1, t->unit);
	return r < 0 ? r : 0;
}

void km_manager_go_on(struct km_manager *m)
{
	if (m->bus)
		pump(m);
}

int km_manager_new(struct km_loop *loop, struct km_manager **ret)
{
	struct km_manager *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->loop = loop;
	*ret = m;
	return 0;
}

struct km_manager *km_manager_free(struct km_manager *m)
{
	if (m)
		disconnect(m);
	free(m);
	return NULL;
}
