/* json/number.h - numbers as ECMAScript reads and prints them. */
#ifndef ARVO_SRC_JSON_NUMBER_H
#define ARVO_SRC_JSON_NUMBER_H

#include "json/internal.h"

#define ARVO__NUMBER_TEXT_MAX ((size_t)32)

typedef enum arvo__number_result {
    ARVO__NUMBER_OK = 0,
    ARVO__NUMBER_SYNTAX, /* *end is the first wrong byte */
    ARVO__NUMBER_RANGE   /* beyond the double range */
} arvo__number_result;

/* Read a number (RFC 8259 section 6) from NUL-terminated text into type and value of `out`. */
arvo__number_result arvo__number_parse(const char *text, const char **end, struct arvo_json *out);

/* Set `out` to a finite number: an INT when its value is an integer below 2^53. */
void arvo__number_set(struct arvo_json *out, double number);

/* Number::toString of a finite double; at most ARVO__NUMBER_TEXT_MAX bytes, no NUL. */
size_t arvo__number_format(double number, char *out);

/* strtod() as in the C locale. `end` may be NULL. */
double arvo__number_strtod(const char *text, char **end);

/* Decimal form of an integer; at most 20 bytes. */
size_t arvo__integer_format(int64_t integer, char *out);

#endif
