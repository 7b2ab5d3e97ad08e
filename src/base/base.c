/* base layer */
extern int arvo__base_layer_;
