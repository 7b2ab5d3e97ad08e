/* Values as text, as jq 1.6 writes and reads them: tostring, tojson, tonumber. */

#include "machine/expr_internal.h"

#include <float.h>
#include <math.h>

#include "json/number.h"

#define NUMBER_TEXT_MAX 48u

/* jq writes the shortest digits that read back equal, plainly from 1e-4 to 1e17 (for one
 * digit; a number of n digits up to n + 15 places), else as d.ddde+XX. */
static size_t
layout_number(bool negative, const char *digits, int count, int point, char *out)
{
    size_t len = 0;
    if (negative)
        out[len++] = '-';
    if (point <= -4 || point > count + 15) {
        out[len++] = digits[0];
        if (count > 1)
            out[len++] = '.';
        for (int i = 1; i < count; i++)
            out[len++] = digits[i];
        const int exponent = point - 1;
        const int size = exponent < 0 ? -exponent : exponent;
        out[len++] = 'e';
        out[len++] = exponent < 0 ? '-' : '+';
        if (size >= 100)
            out[len++] = (char)('0' + size / 100);
        out[len++] = (char)('0' + size / 10 % 10);
        out[len++] = (char)('0' + size % 10);
        return len;
    }
    if (point <= 0) {
        out[len++] = '0';
        out[len++] = '.';
        for (int i = point; i < 0; i++)
            out[len++] = '0';
    }
    for (int i = 0; i < count || i < point; i++) {
        if (i == point && i > 0)
            out[len++] = '.';
        out[len++] = i < count ? digits[i] : '0';
    }
    return len;
}

/* The digits and the place of the point, out of Number::toString. */
static size_t
format_number(double number, char *out)
{
    char js[ARVO__NUMBER_TEXT_MAX], digits[ARVO__NUMBER_TEXT_MAX];
    int count = 0, point = 0, exponent = 0;
    bool seen_point = false;
    if (number == 0) {
        const bool negative = signbit(number) != 0;
        memcpy(out, negative ? "-0" : "0", 2);
        return negative ? 2 : 1;
    }
    number = number > DBL_MAX ? DBL_MAX : number < -DBL_MAX ? -DBL_MAX : number;
    const size_t len = arvo__number_format(fabs(number), js);
    for (size_t i = 0; i < len; i++) {
        if (js[i] == 'e') {
            const bool negative = js[i + 1] == '-';
            for (i += 2; i < len; i++)
                exponent = exponent * 10 + (js[i] - '0');
            exponent = negative ? -exponent : exponent;
        } else if (js[i] == '.') {
            seen_point = true;
        } else {
            point += !seen_point && (count > 0 || js[i] != '0');
            point -= seen_point && count == 0 && js[i] == '0';
            if (count > 0 || js[i] != '0')
                digits[count++] = js[i];
        }
    }
    while (count > 1 && digits[count - 1] == '0')
        count--;
    return layout_number(number < 0, digits, count, point + exponent, out);
}

/* ---- tojson ------------------------------------------------------------------ */

/* Measures first (out NULL), then writes: the arena holds exactly the text. */
typedef struct writer {
    expr_run *run;
    char *out;
    size_t len;
} writer;

static void
put(writer *w, const char *bytes, size_t len)
{
    if (w->out != NULL)
        memcpy(w->out + w->len, bytes, len);
    w->len += len;
}

static void
put_string(writer *w, const char *bytes, size_t len)
{
    static const char from[] = "\"\\\b\f\n\r\t", to[] = "\"\\bfnrt", hex[] = "0123456789abcdef";
    put(w, "\"", 1);
    size_t plain = 0;
    for (size_t i = 0; i < len; i++) {
        const unsigned char c = (unsigned char)bytes[i];
        if (c >= 0x20 && c != '"' && c != '\\' && c != 0x7f)
            continue;
        put(w, bytes + plain, i - plain);
        plain = i + 1;
        const char *simple = c != 0 ? strchr(from, c) : NULL;
        const char escaped[2] = { '\\', simple != NULL ? to[simple - from] : 'u' };
        const char code[4] = { '0', '0', hex[c >> 4], hex[c & 15] };
        put(w, escaped, 2);
        if (simple == NULL)
            put(w, code, 4);
    }
    put(w, bytes + plain, len - plain);
    put(w, "\"", 1);
}

static bool put_value(writer *w, const arvo_json *value, unsigned depth);

static bool
put_items(writer *w, const arvo_json *value, unsigned depth)
{
    const bool object = value->type == ARVO_JSON_OBJECT;
    put(w, object ? "{" : "[", 1);
    for (uint32_t i = 0; i < value->len; i++) {
        if (i > 0)
            put(w, ",", 1);
        if (object) {
            put_string(w, value->as.members[i].key, value->as.members[i].key_len);
            put(w, ":", 1);
        }
        if (!put_value(w, object ? &value->as.members[i].value : &value->as.items[i], depth + 1))
            return false;
    }
    put(w, object ? "}" : "]", 1);
    return true;
}

static bool
put_value(writer *w, const arvo_json *value, unsigned depth)
{
    char number[NUMBER_TEXT_MAX];
    if (!arvo__expr_spend(w->run, 1))
        return false;
    if (w->len > w->run->bytes_left || depth > ARVO_JSON_DEPTH_MAX) {
        arvo__expr_fail(w->run, "a text of the value would be too long or nested too deeply");
        return false;
    }
    switch (value->type) {
    case ARVO_JSON_BOOL:
        put(w, value->as.boolean ? "true" : "false", value->as.boolean ? 4 : 5);
        return true;
    case ARVO_JSON_INT:
    case ARVO_JSON_DOUBLE:
        if (isnan(arvo__expr_double(value)))
            put(w, "null", 4);
        else
            put(w, number, format_number(arvo__expr_double(value), number));
        return true;
    case ARVO_JSON_STRING:
        put_string(w, value->as.string, value->len);
        return true;
    case ARVO_JSON_ARRAY:
    case ARVO_JSON_OBJECT:
        return put_items(w, value, depth);
    default:
        put(w, "null", 4);
        return true;
    }
}

const arvo_json *
arvo__expr_tojson(expr_run *run, const arvo_json *value)
{
    writer w = { .run = run };
    if (!put_value(&w, value, 0))
        return NULL;
    char *text = arvo__expr_alloc(run, w.len);
    if (text == NULL)
        return NULL;
    w.out = text;
    w.len = 0;
    return put_value(&w, value, 0) ? arvo__expr_string(run, text, w.len) : NULL;
}

const arvo_json *
arvo__expr_tostring(expr_run *run, const arvo_json *value)
{
    return value->type == ARVO_JSON_STRING ? value : arvo__expr_tojson(run, value);
}

/* ---- tonumber ------------------------------------------------------------------ */

static size_t
skip_digits(const char *text, size_t at, size_t end)
{
    while (at < end && text[at] >= '0' && text[at] <= '9')
        at++;
    return at;
}

static bool
is_word(const char *text, size_t len, const char *word)
{
    if (len != strlen(word))
        return false;
    for (size_t i = 0; i < len; i++)
        if ((text[i] | 0x20) != word[i])
            return false;
    return true;
}

/* strtod's grammar without hexadecimal: 5. and .5 and +5 and 007 are numbers. The parts are put
 * together anew as JSON has them. */
static bool
read_number(expr_run *run, const char *text, size_t len, double *out)
{
    size_t at = len > 0 && (text[0] == '-' || text[0] == '+') ? 1 : 0;
    const bool negative = len > 0 && text[0] == '-';
    if (is_word(text + at, len - at, "inf") || is_word(text + at, len - at, "infinity") ||
        is_word(text + at, len - at, "nan")) {
        *out = (text[at] | 0x20) == 'n' ? NAN : negative ? -INFINITY : INFINITY;
        run->not_finite = true;
        return true;
    }
    const size_t whole = at, whole_end = skip_digits(text, at, len);
    const bool point = whole_end < len && text[whole_end] == '.';
    const size_t part = whole_end + point, part_end = skip_digits(text, part, len);
    if (whole_end == whole && part_end == part)
        return false;
    at = part_end;
    if (at < len) {
        if (text[at] != 'e' && text[at] != 'E')
            return false;
        at++;
        if (at < len && (text[at] == '-' || text[at] == '+'))
            at++;
        if (at == len || skip_digits(text, at, len) != len)
            return false;
    }
    size_t first = whole;
    while (first + 1 < whole_end && text[first] == '0')
        first++;

    char *json = arvo__expr_alloc(run, len + 4);
    size_t size = 0;
    if (json == NULL)
        return false;
    json[size++] = '-';
    if (whole_end == whole)
        json[size++] = '0';
    memcpy(json + size, text + first, whole_end - first);
    size += whole_end - first;
    if (part_end > part) {
        json[size++] = '.';
        memcpy(json + size, text + part, part_end - part);
        size += part_end - part;
    }
    memcpy(json + size, text + part_end, len - part_end);
    size += len - part_end;
    json[size] = '\0';

    struct arvo_json number = { 0 };
    const char *end = NULL;
    const arvo__number_result result = arvo__number_parse(json, &end, &number);
    if (result == ARVO__NUMBER_SYNTAX)
        return false;
    *out = result == ARVO__NUMBER_RANGE ? -INFINITY : arvo__expr_double(&number);
    run->not_finite |= result == ARVO__NUMBER_RANGE;
    if (!negative)
        *out = -*out;
    if (*out == 0)
        *out = negative ? -0.0 : 0.0;
    return true;
}

const arvo_json *
arvo__expr_tonumber(expr_run *run, const arvo_json *value)
{
    char shown[64];
    if (value->type == ARVO_JSON_INT || value->type == ARVO_JSON_DOUBLE)
        return value;
    if (value->type == ARVO_JSON_STRING) {
        /* jq reads a C string, and skips a byte order mark. */
        const char *text = value->as.string;
        const char *nul = value->len > 0 ? memchr(text, '\0', value->len) : NULL;
        size_t len = nul != NULL ? (size_t)(nul - text) : value->len;
        if (len >= 3 && memcmp(text, "\xEF\xBB\xBF", 3) == 0) {
            text += 3;
            len -= 3;
        }
        while (len > 0 && strchr(" \t\r\n", text[0]) != NULL) {
            text++;
            len--;
        }
        while (len > 0 && strchr(" \t\r\n", text[len - 1]) != NULL)
            len--;
        double number = 0;
        if (read_number(run, text, len, &number))
            return arvo__expr_number(run, number);
        if (run->state != EXPR_RUNNING)
            return NULL;
    }
    return arvo__expr_fail(
        run, "%s cannot be parsed as a number", arvo__expr_show(value, shown, sizeof(shown)));
}
