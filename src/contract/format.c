/* `format` where it refuses: names and their checks. */

#include "contract/format.h"
#include "contract/compile.h"

struct schema_format {
    const char *name;
    const char *shown;
    bool (*fits)(arvo_str text); /* NULL: regex, which needs an arena */
};

static bool
is_uuid(arvo_str text)
{
    if (text.len != 36)
        return false;
    for (size_t i = 0; i < text.len; i++) {
        const bool dash = i == 8 || i == 13 || i == 18 || i == 23;
        if (dash ? text.ptr[i] != '-' : arvo__hex_value(text.ptr[i]) < 0)
            return false;
    }
    return true;
}

/* RFC 6901: empty, or tokens that each begin with a slash; ~ is ~0 or ~1. */
static bool
is_json_pointer(arvo_str text)
{
    if (text.len > 0 && text.ptr[0] != '/')
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] == '~' &&
            (i + 1 == text.len || (text.ptr[i + 1] != '0' && text.ptr[i + 1] != '1')))
            return false;
    return true;
}

/* A number of steps up, then a pointer or #. */
static bool
is_relative_json_pointer(arvo_str text)
{
    size_t i = 0;
    while (i < text.len && format__is_digit(text.ptr[i]))
        i++;
    if (i == 0 || (text.ptr[0] == '0' && i > 1))
        return false;
    const arvo_str rest = { text.ptr + i, text.len - i };
    return arvo_str_is(rest, "#") || is_json_pointer(rest);
}

static const schema_format formats[] = {
    { "date-time", "a date and time (2024-05-31T12:00:00Z)", arvo__format_date_time },
    { "date", "a date (2024-05-31)", arvo__format_date },
    { "time", "a time with its offset (12:00:00Z)", arvo__format_time },
    { "duration", "a duration (P1DT12H)", arvo__format_duration },
    { "email", "an e-mail address", arvo__format_email },
    { "idn-email", "an e-mail address", arvo__format_idn_email },
    { "hostname", "a host name", arvo__format_hostname },
    { "idn-hostname", "a host name", arvo__format_idn_hostname },
    { "ipv4", "an IPv4 address", arvo__format_ipv4 },
    { "ipv6", "an IPv6 address", arvo__format_ipv6 },
    { "uri", "a URI", arvo__format_uri },
    { "uri-reference", "a URI or a relative reference", arvo__format_uri_reference },
    { "iri", "an IRI", arvo__format_iri },
    { "iri-reference", "an IRI or a relative reference", arvo__format_iri_reference },
    { "uri-template", "a URI template", arvo__format_uri_template },
    { "uuid", "a UUID", is_uuid },
    { "json-pointer", "a JSON pointer", is_json_pointer },
    { "relative-json-pointer", "a relative JSON pointer", is_relative_json_pointer },
    { "regex", "a regular expression", NULL },
};

const schema_format *
arvo__format_find(arvo_str name)
{
    for (size_t i = 0; i < ARVO_COUNT_OF(formats); i++)
        if (arvo_str_is(name, formats[i].name))
            return &formats[i];
    return NULL;
}

const char *
arvo__format_name(const schema_format *format)
{
    return format->shown;
}

static bool
is_regex(schema_run *run, arvo_str text)
{
    /* A pattern is compiled to find out, which costs far more than a step a byte. */
    if (!schema__spend(run, 16 * text.len))
        return false;
    switch (arvo__regex_is_valid(text, run->arena)) {
    case ARVO__MATCH_YES:
        return true;
    case ARVO__MATCH_NOMEM:
        return arvo__schema_stop(run, ARVO_E_NOMEM);
    case ARVO__MATCH_GAVE_UP:
        return arvo__schema_stop_at(run, SCHEMA_BOUND_MATCH);
    default:
        return false;
    }
}

bool
arvo__format_fits(const schema_format *format, schema_run *run, arvo_str text)
{
    return format->fits != NULL ? format->fits(text) : is_regex(run, text);
}
