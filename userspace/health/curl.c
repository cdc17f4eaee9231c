// SPDX-License-Identifier: Apache-2.0
#include "health/curl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>

#define LIBRARY "libcurl.so.4" /* the same since 2006 */

static bool find_all(struct km_curl *c)
{
#define FIND(name)                                  \
	c->name = dlsym(c->library, "curl_" #name); \
	if (!c->name)                               \
		return false;
	KM_CURL_FUNCTIONS(FIND)
#undef FIND
	return true;
}

int km_curl_load(struct km_curl *ret)
{
	struct km_curl c = { .library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL) };

	if (!c.library || !find_all(&c) || c.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return -ENOENT;
	*ret = c;
	return 0;
}

/* It stays in memory: what it depends on has handlers for the process's end. */
void km_curl_unload(struct km_curl *c)
{
	if (c->library)
		c->global_cleanup();
	c->library = NULL;
}
