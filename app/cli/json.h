/* json.h - JSON on standard output, put together as it is printed. */
#ifndef ZT_CLI_JSON_H
#define ZT_CLI_JSON_H

/* A string with its quotes. */
void zt_json_put(const char *s);

/* `,"key":"value"` */
void zt_json_put_text(const char *key, const char *value);

#endif
