/* contract/remotes.h - mapped folders, for those who look through folders too. */
#ifndef ARVO_SRC_CONTRACT_REMOTES_H
#define ARVO_SRC_CONTRACT_REMOTES_H

#include <sys/stat.h>

#include <arvo/contract.h>

/* Whether a folder is one of the mapped ones. `remotes` may be NULL. */
bool arvo__schema_remotes_has(const arvo_schema_remotes *remotes, const struct stat *info);

#endif
