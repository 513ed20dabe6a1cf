// The page itself draws how a job ended: it is asked for again once the bar says so.
"use strict";

for (const name of ["job-success", "job-failure"]) {
  document.addEventListener(name, () => location.reload());
}
