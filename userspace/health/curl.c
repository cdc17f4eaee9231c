// SPDX-License-Identifier: Apache-2.0
#include "health/curl.h"

#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libcurl.so.4" /* the same since 2006 */

#define FUNCTION(name)                                        \
	{                                                     \
		"curl_" #name, offsetof(struct km_curl, name) \
	}

static const struct {
	const char *name;
	size_t at;
} functions[] = {
	FUNCTION(global_init),
	FUNCTION(global_cleanup),
	FUNCTION(getdate),
	FUNCTION(slist_append),
	FUNCTION(slist_free_all),
	FUNCTION(easy_init),
	FUNCTION(easy_cleanup),
	FUNCTION(easy_setopt),
	FUNCTION(easy_getinfo),
	FUNCTION(easy_strerror),
	FUNCTION(easy_escape),
	FUNCTION(easy_perform),
	FUNCTION(free),
	FUNCTION(multi_init),
	FUNCTION(multi_cleanup),
	FUNCTION(multi_setopt),
	FUNCTION(multi_assign),
	FUNCTION(multi_info_read),
	FUNCTION(multi_socket_action),
	FUNCTION(multi_add_handle),
	FUNCTION(multi_remove_handle),
};

static bool find_all(struct km_curl *c)
{
	for (size_t i = 0; i < sizeof(functions) / sizeof(functions[0]); i++) {
		void *f = dlsym(c->library, functions[i].name);

		if (!f)
			return false;
		memcpy((char *)c + functions[i].at, &f, sizeof(f));
	}
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
