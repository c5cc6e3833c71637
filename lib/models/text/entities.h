/*
 * entities.h - the characters that HTML gives names. Pure functions on a constant table.
 */
#ifndef ZT_MODELS_TEXT_ENTITIES_H
#define ZT_MODELS_TEXT_ENTITIES_H

#include <stdbool.h>
#include <stddef.h>

#define ZT_ENTITY_NAME_MAX 32

/*
 * The characters, as UTF-8, that HTML writes as "&name;"; without the semicolon only the names that
 * HTML takes so. name is n bytes, without "&" and ";". NULL when there is none.
 */
const char *zt_entity(const char *name, size_t n, bool semicolon);

/*
 * The same for a name in capitals that HTML does not know, but knows in lower case: "EACUTE" is a
 * capital e with an acute accent, as ftfy reads it.
 */
const char *zt_entity_upper(const char *name, size_t n);

#endif
