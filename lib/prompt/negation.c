/*
 * negation.c - how far "no", "without", 不要 reach.
 *
 * A negation holds to the end of its sentence, or to a word of contrast or sequence, or to a comma
 * after which something new begins: "no zoom, pan or tilt" is one list, "no zoom, pan left slowly"
 * is a refusal and a wish.
 */
#include "prompt/words.h"

/* Whether the list of refused moves goes on after the comma at i. */
static bool list_goes_on(const struct zt_items *items, int i)
{
    for (i++; i < items->n; i++) {
        const struct zt_item *it = &items->item[i];
        if (it->class == ZT_W_AND || it->class == ZT_W_OR)
            continue;
        if (it->class == ZT_W_MOVEMENT)
            return true;
        return it->class == ZT_W_VERB &&
               (i + 1 >= items->n || items->item[i + 1].class != ZT_W_DIR);
    }
    return false;
}

static bool ends(const struct zt_items *items, int i)
{
    const struct zt_item *it = &items->item[i];

    switch (it->class) {
    case ZT_W_PUNCT:
        if (it->value == ',')
            return !list_goes_on(items, i);
        return it->value == '.' || it->value == ';' || it->value == '\n' || it->value == ']' ||
               it->value == ')' || it->value == ':';
    case ZT_W_AND: /* "... and the camera pans" says something new */
        return i + 1 < items->n && (items->item[i + 1].class == ZT_W_CAMERA ||
                                    (items->item[i + 1].class == ZT_W_FILLER && i + 2 < items->n &&
                                     items->item[i + 2].class == ZT_W_CAMERA));
    case ZT_W_THEN:
    case ZT_W_BUT:
    case ZT_W_WHILE:
    case ZT_W_WHO:
        return true;
    default:
        return false;
    }
}

void zt_negate(const struct zt_items *items)
{
    bool on = false;

    for (int i = 0; i < items->n; i++) {
        if (items->item[i].class == ZT_W_NEG)
            on = true;
        else if (on && ends(items, i))
            on = false;
        else
            items->item[i].negated = on;
    }
}
