/* contract/format.h - the checks behind `format`, each a pure function on text. */
#ifndef ARVO_SRC_CONTRACT_FORMAT_H
#define ARVO_SRC_CONTRACT_FORMAT_H

#include "base/internal.h"

/* RFC 3339, sections 5.6 and appendix A (format_time.c). */
bool arvo__format_date(arvo_str text);
bool arvo__format_time(arvo_str text);
bool arvo__format_date_time(arvo_str text);
bool arvo__format_duration(arvo_str text);

/* Names and addresses on the net (format_net.c). */
bool arvo__format_hostname(arvo_str text);     /* RFC 1123, section 2.1; A-labels of RFC 5891 */
bool arvo__format_idn_hostname(arvo_str text); /* RFC 5890, 5891 */
bool arvo__format_email(arvo_str text);        /* RFC 5321, section 4.1.2 */
bool arvo__format_idn_email(arvo_str text);    /* RFC 6531 */
bool arvo__format_ipv4(arvo_str text);         /* RFC 2673, section 3.2 */
bool arvo__format_ipv6(arvo_str text);         /* RFC 4291, section 2.2 */

/* RFC 3986, 3987, 6570 (format_uri.c). */
bool arvo__format_uri(arvo_str text);
bool arvo__format_uri_reference(arvo_str text);
bool arvo__format_iri(arvo_str text);
bool arvo__format_iri_reference(arvo_str text);
bool arvo__format_uri_template(arvo_str text);

static inline bool
format__is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static inline bool
format__is_letter(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

#endif
