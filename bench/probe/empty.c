/* The least that a command can be: linked with the libraries that the pail command is linked with,
 * so that what starting it costs is theirs alone. */
int main(void)
{
    return 0;
}
