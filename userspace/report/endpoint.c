/* SPDX-License-Identifier: Apache-2.0 */
/* What services connect to: the endpoints of their definitions with their standbys, and what was
 * learnt from their connections. */
#include <stdio.h>

#include "base/peer.h"
#include "report/request.h"

static uint64_t age_s(const struct km_view *v, uint64_t t_ns)
{
	return t_ns && v->now_ns > t_ns ? (v->now_ns - t_ns) / KM_NS_PER_S : 0;
}

/* The newest value of one signal of what connections to ADDRESS are an entity of; null: not
 * measured. */
static void write_value(const struct km_view *v, const struct km_service *peer, const char *key,
                        enum km_sig sig, struct km_json_writer *w)
{
	const struct km_value *value =
		peer && v->measure ? km_measure_value(v->measure, peer->id, sig) : NULL;

	km_jw_key(w, key);
	if (value && value->measured)
		km_jw_double(w, value->value);
	else
		km_jw_null(w);
}

static void write_peer(const struct km_view *v, const struct km_service *peer,
                       struct km_json_writer *w)
{
	const struct km_forecast *f = peer ? km_nearest_forecast(v, peer->id) : NULL;

	write_value(v, peer, "connect_us", KM_SIG_PEER_LATENCY, w);
	write_value(v, peer, "failures_per_s", KM_SIG_PEER_FAILURES, w);
	write_value(v, peer, "retransmits_per_s", KM_SIG_PEER_RETRANSMITS, w);
	km_jw_key(w, "forecast");
	if (f)
		km_forecast_write(f, peer->name, w);
	else
		km_jw_null(w);
}

static const struct km_service *peer_of(const struct km_view *v, const char *service,
                                        const char *address)
{
	char name[KM_NAME_MAX + KM_PEER_TEXT + 1];

	snprintf(name, sizeof(name), "%s>%s", service, address);
	return km_attribute_service_by_name(v->attribute, name);
}

static void write_traffic(const struct km_view *v, const struct km_endpoint *def,
                          const struct km_endpoint_state *e, struct km_json_writer *w)
{
	char address[KM_PEER_TEXT] = "";

	km_jw_kstring(w, "traffic", e && e->said ? km_traffic_names[km_endpoint_traffic(e)] : NULL);
	km_jw_ku64(w, "traffic_for_s", e ? age_s(v, e->traffic_ns) : 0);
	km_jw_kdouble(w, "share_to_standby", e ? (double)e->share / KMEND_SHARE_ALL : 0);
	if (e && e->standby && e->standby < def->places)
		km_peer_text(&def->place[e->standby].address, address);
	km_jw_kstring(w, "standby", address[0] ? address : NULL);
	km_jw_kstring(w, "when_kmend_stops",
	              !e || !e->share ? NULL
	              : e->outlives   ? "keep"
	                              : "undo");
}

static void write_row(const struct km_view *v, const struct km_service *s,
                      const struct km_endpoint *def, struct km_json_writer *w)
{
	const struct km_endpoint_state *e = km_attribute_endpoint(v->attribute, s->id, def->name);
	char address[KM_PEER_TEXT];

	km_peer_text(&def->place[0].address, address);
	km_jw_kstring(w, "service", s->name);
	km_jw_kstring(w, "endpoint", def->name);
	km_jw_kstring(w, "primary", address);
	km_jw_kstring(w, "health", km_place_health_names[e ? e->place[0].health : 0]);
	km_jw_ku64(w, "health_for_s", e ? age_s(v, e->place[0].health_ns) : 0);
	write_traffic(v, def, e, w);
	write_peer(v, peer_of(v, s->name, address), w);
}

static void write_place(const struct km_view *v, const struct km_service *s,
                        const struct km_endpoint *def, uint32_t i, struct km_json_writer *w)
{
	const struct km_endpoint_state *e = km_attribute_endpoint(v->attribute, s->id, def->name);
	const char *check = def->place[i].check;
	const struct km_check_state *c =
		check[0] ? km_attribute_check(v->attribute, s->id, check) : NULL;
	const struct km_place_state *p = e ? &e->place[i] : &(const struct km_place_state){ 0 };
	char address[KM_PEER_TEXT];

	km_peer_text(&def->place[i].address, address);
	km_jw_object(w);
	km_jw_kstring(w, "address", address);
	km_jw_kstring(w, "role", i ? "standby" : "primary");
	km_jw_kbool(w, "in_use",
	            e && (i ? e->standby == i : km_endpoint_traffic(e) != KM_TO_STANDBY));
	km_jw_kstring(w, "health", km_place_health_names[p->health]);
	km_jw_ku64(w, "health_for_s", age_s(v, p->health_ns));
	km_jw_ku64(w, "failures_in_a_row", p->failures);
	km_jw_kstring(w, "check", check[0] ? check : NULL);
	km_jw_kstring(w, "reason", c ? c->reason : NULL);
	km_jw_kknown(w, "latency_ns", c ? c->latency_ns : KM_UNKNOWN);
	km_jw_kknown(w, "usual_latency_ns", p->usual_ns ? p->usual_ns : KM_UNKNOWN);
	write_peer(v, peer_of(v, s->name, address), w);
	km_jw_end_object(w);
}

/* Addresses of definitions are not learnt once more. */
static bool is_defined(const struct km_view *v, const struct km_service *peer)
{
	const char *mark = strchr(peer->name, '>');
	const struct km_service_def *def;
	char service[KM_NAME_MAX] = "", address[KM_PEER_TEXT];

	if (!mark)
		return true;
	memcpy(service, peer->name, (size_t)(mark - peer->name));
	def = km_config_service(v->config, service);
	for (size_t i = 0; def && i < def->endpoint_count; i++)
		for (uint32_t k = 0; k < def->endpoints[i].places; k++) {
			km_peer_text(&def->endpoints[i].place[k].address, address);
			if (strcmp(address, mark + 1) == 0)
				return true;
		}
	return false;
}

static void write_learnt(const struct km_view *v, const struct km_service *peer,
                         struct km_json_writer *w)
{
	const char *mark = strchr(peer->name, '>');
	char service[KM_NAME_MAX] = "";

	memcpy(service, peer->name, (size_t)(mark - peer->name));
	km_jw_object(w);
	km_jw_kstring(w, "service", service);
	km_jw_kstring(w, "endpoint", NULL);
	km_jw_kstring(w, "primary", mark + 1);
	write_peer(v, peer, w);
	km_jw_end_object(w);
}

static void list_defined(struct km_request *rq, uint64_t *n, uint64_t *more)
{
	const struct km_view *v = rq->view;

	for (size_t i = 0; i < v->config->service_count; i++) {
		const struct km_service_def *def = &v->config->services[i];
		const struct km_service *s = km_attribute_service_by_name(v->attribute, def->name);

		for (size_t k = 0; s && k < def->endpoint_count; k++) {
			if (!km_request_page(rq, n, more))
				continue;
			km_jw_object(rq->w);
			write_row(v, s, &def->endpoints[k], rq->w);
			km_jw_end_object(rq->w);
		}
	}
}

static int list(struct km_request *rq)
{
	const struct km_service *s;
	uint64_t n = 0, more = 0;
	uint32_t slot = 0;

	km_jw_key(rq->w, "endpoints");
	km_jw_array(rq->w);
	list_defined(rq, &n, &more);
	while ((s = km_attribute_next(rq->view->attribute, &slot)))
		if (km_service_entity(s) == KM_ENTITY_ENDPOINT && !is_defined(rq->view, s) &&
		    km_request_page(rq, &n, &more))
			write_learnt(rq->view, s, rq->w);
	km_jw_end_array(rq->w);
	km_jw_ku64(rq->w, "more", more);
	return 0;
}

static int show(struct km_request *rq)
{
	const struct km_view *v = rq->view;
	const struct km_service *s = km_request_service(rq, rq->args.service);
	const struct km_service_def *def = s ? km_config_service(v->config, s->name) : NULL;
	const struct km_endpoint *e = def ? km_config_endpoint(def, rq->args.name) : NULL;

	if (!s)
		return -ENOENT;
	if (!e)
		return km_request_fail(rq, "not_found", "see: kmend endpoint list",
		                       "%s has no endpoint %s", s->name, rq->args.name);
	km_jw_key(rq->w, "endpoint");
	km_jw_object(rq->w);
	write_row(v, s, e, rq->w);
	km_jw_key(rq->w, "places");
	km_jw_array(rq->w);
	for (uint32_t i = 0; i < e->places; i++)
		write_place(v, s, e, i, rq->w);
	km_jw_end_array(rq->w);
	km_jw_end_object(rq->w);
	return 0;
}

static const struct km_json_field show_args[] = {
	{ "service", KM_JSON_STRING, true, offsetof(struct km_args, service), KM_NAME_MAX, 0, 0,
	  NULL },
	{ "name", KM_JSON_STRING, true, offsetof(struct km_args, name), KM_NAME_MAX, 0, 0, NULL },
	{ 0 },
};

const struct km_control_command km_endpoint_commands[] = {
	{ "endpoint", "list", km_args_list, false, list },
	{ "endpoint", "show", show_args, false, show },
	{ 0 },
};
