/** The views of the rooms that work on a file: fetched together when the first of them is entered. */
import './file-strip.js';
import './fatal.js';
import './tensor-list.js';
import './explore.js';
import './controls.js';
import './measures.js';
