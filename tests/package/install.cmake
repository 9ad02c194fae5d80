# Installs BUILD into WORK/prefix.
file(REMOVE_RECURSE ${WORK})
execute_process(COMMAND ${CMAKE_COMMAND} --install ${BUILD} --prefix ${WORK}/first
                OUTPUT_QUIET COMMAND_ERROR_IS_FATAL ANY)
# Nothing may remember where it was first.
file(RENAME ${WORK}/first ${WORK}/prefix)
