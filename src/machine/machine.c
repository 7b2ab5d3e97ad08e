/* machine layer */
extern int arvo__machine_layer_;
