// SPDX-License-Identifier: Apache-2.0
/* Requests of the control socket. The first byte says who asks: root, a reader, a stranger. Seeds:
 * one request of each command. What is answered must be one strict JSON object. */
#include "base/buf.h"
#include "pipeline/pipeline.h"
#include "pipeline/texts.h"
#include "report/control.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char config[] =
	"{\"version\":1,\"services\":[{\"name\":\"web\",\"command\":[\"/bin/web\"]}]}";

static int feed(void *userdata, const void *raw, size_t len)
{
	return km_pipeline_feed(userdata, raw, len);
}

static struct km_pipeline *host(void)
{
	const struct km_text_source texts[] = {
		{ KM_TEXT_CONFIG, "kmend.json", config, sizeof(config) - 1 },
		{ KM_TEXT_COMMIT, "commit", "", 0 },
	};
	struct km_pipeline *p = NULL;

	if (km_pipeline_new(&p) < 0)
		abort();
	for (size_t i = 0; i < KM_ARRAY_SIZE(texts); i++)
		if (km_text_send(&texts[i], KM_NS_PER_S, feed, p) < 0)
			abort();
	return p;
}

/* Made once: a request changes nothing but the history, which cannot be opened here. */
static const struct km_view *view_of_host(void)
{
	static struct km_view view;
	static struct km_pipeline *p; /* kept, so that it is reachable at the end */

	if (p)
		return &view;
	p = host();
	if (km_history_open("/nonexistent", &view.history) < 0)
		abort();
	view.attribute = km_pipeline_attribute(p);
	view.measure = km_pipeline_measure(p);
	view.predict = km_pipeline_predict(p);
	view.rules = km_pipeline_rules(p);
	view.policy = km_pipeline_policy(p);
	view.config = km_pipeline_config(p);
	view.decide = km_pipeline_decide(p);
	view.mode = "full";
	view.state_dir = "/";
	return &view;
}

static void check(const struct km_buf *out)
{
	km_autofree(km_json_freep) struct km_json *doc = NULL;
	struct km_error err;

	if (km_json_parse(out->data, out->len, "answer", &err, &doc) < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	km_autofree(km_buf_freep) struct km_buf *out = NULL;
	km_autofree_char char *request = NULL;
	struct km_control_reply reply;
	struct km_peer peer = { .uid = 1000, .tgid = 1 };

	if (size < 1 || km_buf_new(KM_CONTROL_BODY_MAX, &out) < 0)
		return 0;
	peer.changer = data[0] == 'r';
	peer.reader = peer.changer || data[0] == 'g';
	/* A heap block of the exact size, so that reading one byte too many is found. */
	request = malloc(size > 1 ? size - 1 : 1);
	if (!request)
		return 0;
	memcpy(request, data + 1, size - 1);
	if (km_control_answer(view_of_host(), &peer, request, size - 1, out, &reply) < 0)
		abort();
	check(out);
	return 0;
}
