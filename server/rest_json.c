/*
 * REST bodies as JSON: the one file of the server that sees jansson, which reads requests; answers are written as they are.
 */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "framing/base64.h"
#include "framing/error.h"
#include "framing/message.h"
#include "framing/rest_request.h"
#include "framing/utf8.h"
#include "framing/websocket.h"
#include "server/rest_body.h"

#define REASON_MAX 123
#define WAIT_MAX 3600

bool rest_close_ok(unsigned code, const uint8_t *reason, size_t n)
{
	if (code == WEBSOCKET_NO_CODE)
		return n == 0;
	return websocket_code_ok(code) && n <= REASON_MAX && utf8_ok(reason, n);
}

/* ---- reading ---- */

static int wrong(const char **why, const char *sentence)
{
	*why = sentence;
	return ERROR_MALFORMED;
}

static struct rest_message *text_message(const json_t *v)
{
	return rest_message_new(REST_TEXT, (const uint8_t *)json_string_value(v), json_string_length(v));
}

static struct rest_message *binary_message(const json_t *v)
{
	size_t n = json_string_length(v);
	struct rest_message *m = json_is_string(v) ? rest_message_new(REST_BINARY, NULL, n) : NULL;
	ssize_t len = m ? base64_decode(m->p, n, json_string_value(v), n, false) : -1;

	if (len >= 0) {
		m->n = (size_t)len;
		return m;
	}
	rest_message_free(m);
	return NULL;
}

static struct rest_message *close_message(const json_t *v)
{
	const json_t *code = json_array_get(v, 0), *reason = json_array_get(v, 1);
	const uint8_t *text = (const uint8_t *)json_string_value(reason);
	struct rest_message *m;

	if (json_array_size(v) != 2 || !json_is_integer(code) || !json_is_string(reason) || json_integer_value(code) < 0 ||
	    json_integer_value(code) > 65535 || !rest_close_ok((unsigned)json_integer_value(code), text, json_string_length(reason)))
		return NULL;
	m = rest_message_new(REST_CLOSE, text, json_string_length(reason));
	m->code = (unsigned)json_integer_value(code);
	return m;
}

static struct rest_message *one_message(const json_t *v)
{
	if (json_is_string(v))
		return text_message(v);
	if (!json_is_object(v) || json_object_size(v) != 1)
		return NULL;
	if (json_object_get(v, "binary"))
		return binary_message(json_object_get(v, "binary"));
	return close_message(json_object_get(v, "close"));
}

static int read_messages(struct rest_body *b, const json_t *list, size_t message_max, const char **why)
{
	struct rest_message **at = &b->messages;
	size_t i;
	json_t *v;

	if (!json_is_array(list))
		return wrong(why, "messages must be an array of strings, {\"binary\": base64} and {\"close\": [code, reason]}");
	json_array_foreach(list, i, v) {
		*at = one_message(v);
		if (!*at)
			return wrong(why, "a message must be a string, {\"binary\": base64} or {\"close\": [code, reason]}");
		if ((*at)->n > message_max) {
			*why = "a message is longer than message_max: send shorter ones";
			return ERROR_LIMIT;
		}
		at = &(*at)->next;
	}
	return 0;
}

static bool number(const json_t *v, uint64_t min, uint64_t *out)
{
	if (!json_is_integer(v) || json_integer_value(v) < (json_int_t)min || (uint64_t)json_integer_value(v) > REST_NUMBER_MAX)
		return false;
	*out = (uint64_t)json_integer_value(v);
	return true;
}

static int read_numbers(struct rest_body *b, const json_t *o, const char **why)
{
	const json_t *seq = json_object_get(o, "seq"), *after = json_object_get(o, "after"), *wait = json_object_get(o, "wait");
	const json_t *quiet = json_object_get(o, "quiet");

	b->has_after = after;
	b->quiet = json_is_true(quiet);
	if (quiet && !json_is_boolean(quiet))
		return wrong(why, "quiet must be true or false");
	if (seq && !number(seq, 1, &b->seq))
		return wrong(why, "seq must be the number of the first message, from 1 on");
	if (after && !number(after, 0, &b->after))
		return wrong(why, "after must be the number of the last message received, from 0 on");
	if (!wait)
		return 0;
	if (!json_is_number(wait) || json_number_value(wait) < 0 || json_number_value(wait) > WAIT_MAX)
		return wrong(why, "wait must be seconds, 0 to 3600");
	b->wait_ms = (uint32_t)(json_number_value(wait) * 1000);
	return 0;
}

static json_t *load(const uint8_t *p, size_t n)
{
	json_t *o = n ? json_loadb((const char *)p, n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL) : json_object();

	if (json_is_object(o))
		return o;
	json_decref(o);
	return NULL;
}

int rest_json_read(struct rest_body *b, const uint8_t *p, size_t n, size_t message_max, const char **why)
{
	json_t *o = load(p, n), *list;
	int error;

	memset(b, 0, sizeof *b);
	if (!o)
		return wrong(why, "the body must be a JSON object in UTF-8");
	list = json_object_get(o, "messages");
	error = read_numbers(b, o, why);
	if (error == 0 && list)
		error = read_messages(b, list, message_max, why);
	if (error == 0 && b->messages && !b->seq)
		error = wrong(why, "messages need seq, the number of the first");
	json_decref(o);
	if (error < 0) {
		rest_message_free(b->messages);
		b->messages = NULL;
	}
	return error;
}

/* A token of HTTP. */
static bool is_protocol(const json_t *v)
{
	const char *s = json_string_value(v);

	if (!s || !*s || strlen(s) != json_string_length(v))
		return false;
	return strspn(s, "!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz") == strlen(s);
}

int rest_json_read_put(struct rest_body *b, const uint8_t *p, size_t n, const char **why)
{
	json_t *o = load(p, n), *list, *v;
	size_t i, at = 0;
	bool ok = true;

	memset(b, 0, sizeof *b);
	if (!o)
		return wrong(why, "the body must be empty, or a JSON object like {\"protocols\": [\"janus-protocol\"]}");
	list = json_object_get(o, "protocols");
	ok = !list || json_is_array(list);
	json_array_foreach(list, i, v) {
		ok = ok && is_protocol(v) && at + 1 + json_string_length(v) <= MESSAGE_PROTOCOLS_MAX;
		if (!ok)
			break;
		if (at)
			b->protocols[at++] = ',';
		memcpy(b->protocols + at, json_string_value(v), json_string_length(v) + 1);
		at += json_string_length(v);
	}
	json_decref(o);
	return ok ? 0 : wrong(why, "protocols must be an array of names of WebSocket subprotocols, at most 256 characters together");
}

/* ---- writing ---- */

void rest_json_head(struct rest_text *t, const struct rest_answer *a)
{
	rest_text_print(t, "\"taken\":%" PRIu64 ",\"seq\":%" PRIu64 ",\"state\":\"%s\"", a->taken, a->seq, a->closed ? "closed" : "open");
}

static void one(struct rest_text *t, const struct rest_message *m)
{
	switch (m->type) {
	case REST_TEXT:
		rest_text_string(t, m->p, m->n);
		break;
	case REST_BINARY:
		rest_text_print(t, "{\"binary\":\"");
		rest_text_base64(t, m->p, m->n);
		rest_text_print(t, "\"}");
		break;
	default:
		rest_text_print(t, "{\"close\":[%u,", m->code);
		rest_text_string(t, m->p, m->n);
		rest_text_print(t, "]}");
		break;
	}
}

void rest_json_write(struct rest_text *t, const struct rest_answer *a)
{
	const struct rest_message *m = a->first;

	rest_text_put(t, "{", 1);
	rest_json_head(t, a);
	rest_text_print(t, ",\"messages\":[");
	for (size_t i = 0; i < a->count; i++, m = m->next) {
		if (i)
			rest_text_put(t, ",", 1);
		one(t, m);
	}
	rest_text_print(t, "]}\n");
}
