// SPDX-License-Identifier: Apache-2.0
/* systemd units. Nothing waits here: replies come through the loop, each act has its deadline. */
#include "act/internal.h"

#define MANAGER   "org.freedesktop.systemd1"
#define PATH      "/org/freedesktop/systemd1"
#define INTERFACE MANAGER ".Manager"

static int on_invocation(sd_bus_message *m, void *userdata, sd_bus_error *err);

/* The connection went away: a job that was waited for is asked about again. Replies that were
 * waited for come as errors. */
static void broken(struct km_actor *a)
{
	km_unit_close(a);
	for (struct km_act *act = a->act; act < a->act + KM_ACTS_MAX; act++)
		if (act->phase == KM_ACT_JOB)
			km_unit_look(act);
}

static void pump(struct km_actor *a)
{
	int r = 1;

	while (r > 0)
		r = sd_bus_process(a->bus, NULL);
	if (r == 0)
		r = sd_bus_get_events(a->bus);
	if (r < 0)
		broken(a);
	else
		km_loop_change(a->o.loop, sd_bus_get_fd(a->bus), (uint32_t)r);
	km_actor_ready(a);
}

static int on_bus(void *userdata, int fd, uint32_t events)
{
	(void)fd;
	(void)events;
	pump(userdata);
	return 0;
}

static int on_job_removed(sd_bus_message *m, void *userdata, sd_bus_error *err)
{
	struct km_actor *a = userdata;
	const char *job, *unit, *result;
	uint32_t id;
	bool done;

	(void)err;
	if (sd_bus_message_read(m, "uoss", &id, &job, &unit, &result) < 0)
		return 0;
	done = strcmp(result, "done") == 0;
	for (struct km_act *act = a->act; act < a->act + KM_ACTS_MAX; act++)
		if (act->phase == KM_ACT_JOB && strcmp(act->job, job) == 0)
			km_act_finish(act, done ? KM_OUT_DONE : KM_OUT_FAILED, done ? 0 : -EIO,
			              result);
	return 0;
}

void km_unit_close(struct km_actor *a)
{
	if (!a->bus)
		return;
	km_loop_remove(a->o.loop, sd_bus_get_fd(a->bus));
	for (struct km_act *act = a->act; act < a->act + KM_ACTS_MAX; act++)
		act->slot = sd_bus_slot_unref(act->slot);
	a->bus = sd_bus_close_unref(a->bus);
}

static int connect_manager(struct km_actor *a)
{
	int r;

	if (a->bus)
		return 0;
	r = sd_bus_open_system(&a->bus);
	if (r < 0)
		return r;
	r = km_loop_add(a->o.loop, sd_bus_get_fd(a->bus), EPOLLIN, on_bus, a);
	if (r >= 0) /* each act has its own deadline */
		r = sd_bus_set_method_call_timeout(a->bus, KM_ACT_TIMEOUT_MAX_NS);
	if (r >= 0)
		r = sd_bus_match_signal_async(a->bus, NULL, MANAGER, PATH, INTERFACE, "JobRemoved",
		                              on_job_removed, NULL, a);
	if (r >= 0)
		r = sd_bus_call_method_async(a->bus, NULL, MANAGER, PATH, INTERFACE, "Subscribe",
		                             NULL, NULL, NULL);
	if (r < 0)
		km_unit_close(a);
	return r;
}

static int on_job(sd_bus_message *m, void *userdata, sd_bus_error *err)
{
	struct km_act *act = userdata;
	const sd_bus_error *e = sd_bus_message_get_error(m);
	const char *job;

	(void)err;
	/* NoReply is sd-bus's own for a connection that broke: it may have been done. */
	if (e && sd_bus_error_has_name(e, SD_BUS_ERROR_NO_REPLY))
		act->phase = KM_ACT_JOB;
	else if (e)
		km_act_finish(act, KM_OUT_FAILED, -sd_bus_error_get_errno(e), e->message);
	else if (sd_bus_message_read(m, "o", &job) < 0 || !km_copy(act->job, sizeof(act->job), job))
		km_act_finish(act, KM_OUT_UNKNOWN, -EBADMSG, "an answer that makes no sense");
	else
		act->phase = KM_ACT_JOB;
	return 0;
}

/* Which invocation of the unit is there: before an act, and after one that was interrupted. */
static int ask(struct km_act *act, enum km_act_phase phase)
{
	km_autofree_char char *path = NULL;
	int r = connect_manager(act->actor);

	act->phase = phase;
	act->slot = sd_bus_slot_unref(act->slot);
	if (r >= 0)
		r = sd_bus_path_encode(PATH "/unit", act->unit, &path);
	if (r >= 0)
		r = sd_bus_call_method_async(act->actor->bus, &act->slot, MANAGER, path,
		                             "org.freedesktop.DBus.Properties", "Get",
		                             on_invocation, act, "ss", MANAGER ".Unit",
		                             "InvocationID");
	return r;
}

/* What has become of an act that was interrupted: a pending job is under way, a new invocation is
 * done, neither is not done. */
static int on_listed(sd_bus_message *m, void *userdata, sd_bus_error *err)
{
	struct km_act *act = userdata;
	const char *name, *about, *load, *active, *sub, *follows, *path, *type, *job = "";
	bool renewed = memcmp(act->found, act->rec.invocation, sizeof(act->found)) != 0, stopped;
	int r = -sd_bus_message_get_errno(m);
	uint32_t id;

	(void)err;
	if (r == 0)
		r = sd_bus_message_enter_container(m, 'a', "(ssssssouso)");
	if (r >= 0)
		r = sd_bus_message_read(m, "(ssssssouso)", &name, &about, &load, &active, &sub,
		                        &follows, &path, &id, &type, &job);
	if (r <= 0 || !km_copy(act->job, sizeof(act->job), job)) {
		km_act_finish(act, KM_OUT_UNKNOWN, r, "the manager does not tell what came of it");
		return 0;
	}
	stopped = strcmp(active, "inactive") == 0 || strcmp(active, "failed") == 0;
	if (id)
		act->phase = KM_ACT_JOB;
	else if (act->rec.verb == KM_STOP ? stopped : renewed && !stopped)
		km_act_finish(act, KM_OUT_DONE, 0, "found done");
	else
		km_act_finish(act, KM_OUT_NOT_DONE, 0, "found not done");
	return 0;
}

static int on_invocation(sd_bus_message *m, void *userdata, sd_bus_error *err)
{
	struct km_act *act = userdata;
	bool looking = act->phase == KM_ACT_LOOKING;
	const void *id = NULL;
	size_t len = 0;
	int r = -sd_bus_message_get_errno(m);

	(void)err;
	if (r == 0)
		r = sd_bus_message_enter_container(m, 'v', "ay");
	if (r >= 0)
		r = sd_bus_message_read_array(m, 'y', &id, &len);
	if (r >= 0 && len == sizeof(act->found))
		memcpy(looking ? act->found : act->rec.invocation, id, len);
	if (r < 0) {
		km_act_finish(act, looking ? KM_OUT_UNKNOWN : KM_OUT_REFUSED, r,
		              "the manager does not tell the unit's state");
		return 0;
	}
	if (!looking && km_act_intend(act) < 0)
		return 0;
	act->slot = sd_bus_slot_unref(act->slot);
	if (looking) {
		r = sd_bus_call_method_async(act->actor->bus, &act->slot, MANAGER, PATH, INTERFACE,
		                             "ListUnitsByNames", on_listed, act, "as", 1,
		                             act->unit);
	} else {
		act->phase = KM_ACT_CALLING;
		r = sd_bus_call_method_async(act->actor->bus, &act->slot, MANAGER, PATH, INTERFACE,
		                             km_act_verbs[act->rec.verb].method, on_job, act, "ss",
		                             act->unit, "replace");
	}
	if (r < 0)
		km_act_finish(act, looking ? KM_OUT_UNKNOWN : KM_OUT_FAILED, r,
		              "could not be asked for");
	return 0;
}

void km_unit_begin(struct km_act *act)
{
	struct km_actor *a = act->actor;
	int r = ask(act, KM_ACT_ASKING);

	if (r < 0)
		km_act_finish(act, KM_OUT_REFUSED, r, "no connection to the system's manager");
	if (a->bus)
		pump(a);
}

void km_unit_look(struct km_act *act)
{
	struct km_actor *a = act->actor;
	int r = act->looked ? -ECONNRESET : ask(act, KM_ACT_LOOKING);

	act->looked = true;
	if (r < 0)
		km_act_finish(act, KM_OUT_UNKNOWN, r, "no connection to the system's manager");
	if (a->bus)
		pump(a);
}

void km_unit_overdue(struct km_act *act)
{
	struct km_actor *a = act->actor;
	bool hangs = act->phase != KM_ACT_JOB;

	km_act_finish(act,
	              !act->intended ? KM_OUT_REFUSED
	              : hangs        ? KM_OUT_UNKNOWN
	                             : KM_OUT_FAILED,
	              -ETIMEDOUT,
	              hangs ? "the manager does not answer" : "its job is still under way");
	if (hangs)
		broken(a); /* the next one begins with a new connection */
}
