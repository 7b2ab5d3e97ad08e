/* memory layer */
extern int arvo__memory_layer_;
