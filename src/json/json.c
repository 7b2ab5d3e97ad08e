/* json layer */
extern int arvo__json_layer_;
