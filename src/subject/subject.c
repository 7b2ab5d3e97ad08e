/* subject layer */
extern int arvo__subject_layer_;
